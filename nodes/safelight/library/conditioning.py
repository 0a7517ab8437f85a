"""Nodes that turn words into what a sampler is told."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from safelight.diffusion.conditioning import Size
from safelight.graph.folders import Folders
from safelight.graph.node import Context, Help, Label, Node, Output, Range, Text
from safelight.library.prompts import stamped, told
from safelight.library.values import Clip, Conditioning

Pixels = Annotated[int, Range(0, 16384), Help("In pixels.")]
Prompt = Annotated[str, Text(multiline=True), Help("What the picture shows.")]


class CLIPTextEncode(Node):
    """Turn a prompt into conditioning: 77 vectors that steer every step of the sampler.

    Words in (round brackets) count 1.1 times, (words:1.3) exactly 1.3 times. Longer
    prompts are encoded in several chunks. `embedding:name` stands for a word that was learnt
    later, a file of the folder `models/embeddings`.
    """

    category: ClassVar[str] = "conditioning"
    title: ClassVar[str] = "Prompt"
    text: Prompt
    clip: Annotated[Clip, Label("Text encoder")]

    def run(self, ctx: Context) -> Annotated[Conditioning, Output("CONDITIONING")]:
        """Tokenize, encode, weigh."""
        return Conditioning(told(ctx, self.clip.texts, self.text))

    @classmethod
    def stamp(cls, inputs: Mapping[str, object], folders: Folders) -> str:
        """Read again when a mentioned file has changed."""
        return stamped(folders, inputs.get("text"))


class CLIPTextEncodeSDXL(Node):
    """Turn a prompt into conditioning for Stable Diffusion XL, and say what size it is.

    XL has two text encoders and hears of every picture how large it was before it was
    scaled, where it was cut, and what size it was to have. A small size gives the look of
    enlarged pictures, a corner other than 0 that of pictures cut carelessly. The plain
    Prompt node says the size of the latent, which is what is wanted most of the time.
    """

    category: ClassVar[str] = "advanced/conditioning"
    title: ClassVar[str] = "Prompt for XL"
    clip: Annotated[Clip, Label("Text encoder")]
    width: Pixels = 1024
    height: Pixels = 1024
    crop_w: Pixels = 0
    crop_h: Pixels = 0
    target_width: Pixels = 1024
    target_height: Pixels = 1024
    text_g: Prompt
    text_l: Prompt

    def run(self, ctx: Context) -> Annotated[Conditioning, Output("CONDITIONING")]:
        """Read each prompt with its encoder, and add the sizes."""
        heard = told(ctx, self.clip.texts, {"l": self.text_l, "g": self.text_g})
        size = Size(
            self.height,
            self.width,
            self.crop_h,
            self.crop_w,
            self.target_height,
            self.target_width,
        )
        return Conditioning(heard.with_size(size))

    @classmethod
    def stamp(cls, inputs: Mapping[str, object], folders: Folders) -> str:
        """Read again when a mentioned file has changed."""
        return stamped(folders, inputs.get("text_g"), inputs.get("text_l"))


class CLIPTextEncodeSDXLRefiner(Node):
    """Turn a prompt into conditioning for XL's refiner, and say how beautiful it shall be.

    The refiner was trained with a score from 0 to 10 that a network gave each picture. The
    plain Prompt node says 6 for what is wanted and 2.5 for what is not.
    """

    category: ClassVar[str] = "advanced/conditioning"
    title: ClassVar[str] = "Prompt for XL's refiner"
    ascore: Annotated[
        float, Range(0.0, 1000.0, step=0.01), Label("Score"), Help("How beautiful, up to 10.")
    ] = 6.0
    width: Pixels = 1024
    height: Pixels = 1024
    text: Prompt
    clip: Annotated[Clip, Label("Text encoder")]

    def run(self, ctx: Context) -> Annotated[Conditioning, Output("CONDITIONING")]:
        """Read the prompt, and add size and score."""
        heard = told(ctx, self.clip.texts, self.text)
        return Conditioning(heard.with_size(Size(self.height, self.width)).with_score(self.ascore))

    @classmethod
    def stamp(cls, inputs: Mapping[str, object], folders: Folders) -> str:
        """Read again when a mentioned file has changed."""
        return stamped(folders, inputs.get("text"))


class ConditioningZeroOut(Node):
    """Say nothing at all: replace what a prompt says by zeros.

    That is another thing than an empty prompt, which still has a start, an end and padding;
    some models were trained with zeros where no words were given.
    """

    category: ClassVar[str] = "advanced/conditioning"
    title: ClassVar[str] = "Zero out"
    conditioning: Conditioning

    def run(self, ctx: Context) -> Annotated[Conditioning, Output("CONDITIONING")]:
        """Keep sizes and scores, drop the words."""
        return Conditioning(self.conditioning.whole.each(lambda one: one.zeroed()))
