"""Nodes that teach a word, or a second network that steers, while one watches."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, ClassVar, NamedTuple

import torch
from torch import Tensor

from safelight.diffusion.edges import canny
from safelight.diffusion.family_control import single_file
from safelight.diffusion.settings import Settings as Told
from safelight.diffusion.settings import checkpoint_metadata
from safelight.diffusion.texts import ClipTower, Texts
from safelight.diffusion.textual_inversion import SINGLE, TOWERS
from safelight.graph.node import Context, Help, Label, Node, Output, Range, Seed
from safelight.graph.returns import Showing
from safelight.library.control import ControlNet, opened_at
from safelight.library.teaching import Course, Options
from safelight.library.training import (
    FileName,
    Pictures,
    Rate,
    Sample,
    Settings,
    Steps,
    TrainSeed,
)
from safelight.library.training_files import Learnt, LossMap, put
from safelight.library.values import Clip, Image, Model, Vae
from safelight.training.captioned import Examples, ExamplesError
from safelight.training.controlnet import HINT_WIDTHS
from safelight.training.inversion import UNEQUAL
from safelight.training.noised import CannotLearn
from safelight.training.pupils import UNTOLD_CONTROL, ControlPupil, WordPupil

PUBLISHED_WIDTH = 320  # of the U-Nets of Stable Diffusion 1, 2 and XL
PUBLISHED_HINTS = (16, 32, 96, 256)
Threshold = Annotated[float, Range(0.01, 0.99, step=0.01), Help("Of the edges.")]


class TaughtWord(NamedTuple):
    """A word that was learnt."""

    clip: Annotated[Clip, Output("CLIP", "The text encoders; prompts may mention the word.")]
    word: Annotated[str, Output("STRING", "What to write into prompts.")]
    loss: Annotated[LossMap, Output("LOSS_MAP")]


class TaughtControl(NamedTuple):
    """A control network that was taught."""

    control_net: Annotated[ControlNet, Output("CONTROL_NET")]
    loss: Annotated[LossMap, Output("LOSS_MAP")]


class TrainWord(Node):
    """Teach the text encoders a new word for what pictures show: a textual inversion.

    Nothing of the model is changed, so a word can only ask for what the model could draw.
    Captions say where the word stands, as in "a red * in the snow"; name in them what is not
    the thing itself. Prompts mention it as `embedding:name`.
    """

    category: ClassVar[str] = "training"
    title: ClassVar[str] = "Train word"
    effect: ClassVar[bool] = True
    model: Model
    clip: Annotated[Clip, Label("Text encoder")]
    vae: Vae
    pictures: Pictures
    name: FileName = "my-word"
    placeholder: Annotated[
        str, Label("Stands for it"), Help("In captions; one without it gets it in front.")
    ] = "*"
    rows: Annotated[int, Range(1, 75), Label("Vectors"), Help("How much it can say.")] = 4
    begin_with: Annotated[str, Label("Begin with"), Help("Known words for like things.")] = ""
    steps: Steps = 500
    learning_rate: Rate = 0.005
    seed: Annotated[TrainSeed, Seed()] = 0
    sample: Sample = ""
    options: Settings | None = None

    def run(self, ctx: Context) -> Showing[TaughtWord]:
        """Teach it, keep the file, and say how it is to be mentioned."""
        options, word = self.options or Options(), "embedding:taught"
        course = Course(
            *(ctx, self.model, options, self.steps, self.learning_rate, self.seed),
            *(self.clip, self.vae, True),
        )
        examples = mentioning(self.pictures.examples, self.placeholder, word)
        sets = [course.studied(examples, untold=False)]
        first = first_rows(self.clip.texts, self.begin_with, self.rows, self.seed)
        asked = course.asked(self.sample.replace(self.placeholder or "\0", word), examples)
        name = course.name("word", sets, list(first.values()))
        with course.lent() as (model, texts):
            assert texts is not None
            way, place = options.way, course.place
            pupil = WordPupil(model, texts, sets, way, place, "taught", first)
            losses = course.teach(pupil, name, asked)
        kept = put(
            *(ctx.folders, "embeddings", self.name, f"{name} {self.steps}"),
            *(named_rows(pupil.rows), {"modelspec.title": self.name}),
        )
        mention = f"embedding:{kept.path.stem}"
        return Showing(TaughtWord(self.clip, mention, LossMap(tuple(losses))), kept)

    @classmethod
    def holds(cls, result: object) -> bool:
        """Write again what is gone."""
        return Learnt.of(result)


class TrainControlNet(Node):
    """Teach a copy of half a U-Net to follow hints: a ControlNet.

    Without hints the edges of the pictures are taken, as the node Canny edges finds them. It
    takes many pictures and steps before a network obeys; the loss hardly tells when.
    """

    category: ClassVar[str] = "training"
    title: ClassVar[str] = "Train ControlNet"
    effect: ClassVar[bool] = True
    model: Model
    clip: Annotated[Clip, Label("Text encoder")]
    vae: Vae
    pictures: Pictures
    name: FileName = "my-controlnet"
    low_threshold: Annotated[Threshold, Label("Low")] = 0.2
    high_threshold: Annotated[Threshold, Label("High")] = 0.4
    steps: Steps = 2000
    learning_rate: Rate = 0.0001
    seed: Annotated[TrainSeed, Seed()] = 0
    sample: Sample = ""
    hints: Annotated[Image, Help("One for each picture, instead of edges.")] | None = None
    options: Settings | None = None

    def run(self, ctx: Context) -> Showing[TaughtControl]:
        """Teach it, keep the file, and open it."""
        options = self.options or Options()
        options = replace(options, way=replace(options.way, untold=UNTOLD_CONTROL))
        course = Course(
            *(ctx, self.model, options, self.steps, self.learning_rate, self.seed),
            *(self.clip, self.vae),
        )
        examples = self.pictures.examples
        edges = self.low_threshold, self.high_threshold
        sets = [course.studied(examples, hints=hints_for(examples, self.hints, edges))]
        asked, name = course.asked(self.sample, examples), course.name("control", sets)
        with course.lent() as (model, _):
            pupil = ControlPupil(model, sets, options.way, course.place, hint_widths(self.model))
            losses = course.teach(pupil, name, asked)
        kept = put(
            *(ctx.folders, "controlnet", self.name, f"{name} {self.steps}"),
            *control_file(pupil, self.name, edges if self.hints is None else None),
        )
        return Showing(TaughtControl(opened_at(kept.path), LossMap(tuple(losses))), kept)

    @classmethod
    def holds(cls, result: object) -> bool:
        """Write again what is gone."""
        return Learnt.of(result)


def mentioning(examples: Examples, placeholder: str, word: str) -> Examples:
    """Return examples whose captions mention a word where the placeholder stands, or in front."""

    def said(caption: str) -> str:
        stands = placeholder and placeholder in caption
        return caption.replace(placeholder, word) if stands else f"{word} {caption}"

    return Examples(examples.pictures, [[said(way) for way in ways] for ways in examples.captions])


def first_rows(texts: Texts, begin_with: str, count: int, seed: int) -> Mapping[str, Tensor]:
    """Return where a word begins: the mean of known words (or of all), each row a little off.

    Raises:
        CannotLearn: no text encoder can learn a word.
    """
    draw, found = torch.Generator().manual_seed(seed), dict[str, Tensor]()
    for name, tower in texts.towers.items():
        if isinstance(tower, ClipTower):
            table = tower.network.token.weight.float()
            known = table[tower.tokenizer.encode(begin_with)] if begin_with.strip() else table
            noise = torch.randn(count, table.shape[1], generator=draw)
            found[name] = known.mean(dim=0) + UNEQUAL * table.std() * noise
    if not found:
        raise CannotLearn("none of these text encoders can learn a word: want one of CLIP's kind")
    return found


def named_rows(rows: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return rows as files name them: for the only tower, or for each."""
    if len(rows) == 1:
        return {SINGLE: next(iter(rows.values())).half()}
    theirs = {own: name for name, own in TOWERS.items()}
    return {theirs[tower]: part.half() for tower, part in rows.items()}


def hints_for(examples: Examples, given: Image | None, edges: tuple[float, float]) -> Tensor:
    """Return a hint for each picture, in 0..1: what is given, or their edges.

    Raises:
        ExamplesError: there are not as many as pictures, or they are of another size.
    """
    pictures = (examples.pictures + 1) / 2
    if given is None:
        return canny(pictures, *edges).expand(-1, 3, -1, -1)
    if given.planes.shape != pictures.shape:
        has, want = (" x ".join(map(str, one.shape)) for one in (given.planes, pictures))
        raise ExamplesError(f"want a hint for each picture, of its size: {want}, got {has}")
    return given.planes.float()


def hint_widths(model: Model) -> tuple[int, ...]:
    """Return how wide a hint's way in is: as published, or thinner for thin models."""
    width = getattr(getattr(model.network, "config", None), "width", 0)
    return PUBLISHED_HINTS if width >= PUBLISHED_WIDTH else HINT_WIDTHS


def control_file(
    pupil: ControlPupil, name: str, edges: tuple[float, float] | None
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return a control network's tensors as original files have them, and what is said of it."""
    config = pupil.copy.config
    told = Told(
        unet_heads=config.heads, unet_head_width=config.head_width, unet_groups=config.groups
    )
    about = {"name": name} | ({"canny": f"{edges[0]:g} {edges[1]:g}"} if edges else {})
    tensors = {key: tensor.half() for key, tensor in single_file(pupil.copy).items()}
    return tensors, checkpoint_metadata(told, about=about)
