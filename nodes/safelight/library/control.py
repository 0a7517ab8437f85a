"""Nodes that show a picture to a second network, which steers the first."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar, NamedTuple

from torch import Tensor

from safelight.diffusion import memory
from safelight.diffusion.control import Control, Source
from safelight.diffusion.family_control import load_control
from safelight.graph.node import Choice, Context, Folder, Help, Label, Node, Output, Range
from safelight.library.values import Conditioning, Image, Mask, Model, Vae

# What union networks call their tasks, in the order in which they count them.
TASKS = (
    "openpose",
    "depth",
    "hed/pidi/scribble/ted",
    "canny/lineart/anime_lineart/mlsd",
    "normal",
    "segment",
    "tile",
    "repaint",
)
AUTO = "auto"

File = Annotated[str, Folder("controlnet"), Label("File"), Help("The control network.")]
Hint = Annotated[Image, Label("Hint"), Help("Edges, a pose ...: what the network was made for.")]
Strength = Annotated[float, Range(0.0, 10.0, step=0.01), Help("How strongly; 0 is not at all.")]
Start = Annotated[float, Range(0.0, 1.0, step=0.001), Help("From this share of the walk on.")]
End = Annotated[float, Range(0.0, 1.0, step=0.001), Help("Up to this share.")]
Where = Annotated[Mask, Help("Where it counts; everywhere if nothing is given.")]
Applied = Annotated[Conditioning, Output("CONDITIONING")]


class NoAutoencoder(ValueError):
    """A control network sees its hint as a latent, and no autoencoder was given."""


@dataclass(frozen=True, eq=False)
class ControlNet:
    """A control network, and the family of models that it steers."""

    wire: ClassVar[str] = "CONTROL_NET"
    source: Source
    family: str
    kinds: tuple[int, ...] = ()  # which of its tasks a network for several shall do
    latent: bool = False  # it sees the hint as a latent

    def shown(self, image: Image, strength: float, vae: Vae | None, ctx: Context) -> Control:
        """Show it a picture.

        Raises:
            NoAutoencoder: it wants to see a latent.
        """
        if not self.latent:
            return Control(
                self.source, image.planes, strength, kinds=self.kinds, family=self.family
            )
        if vae is None:
            raise NoAutoencoder(
                f"this control network of {self.family} sees its picture as a latent: "
                "connect an autoencoder"
            )

        def encode(pixels: Tensor) -> Tensor:
            place = memory.choose(ctx.device, ctx.precision).for_pictures
            with memory.resident(vae.network, place) as network:
                raw = network.encode(memory.converted(pixels * 2 - 1, place)).mean
            return raw.float().cpu() * vae.format.scale  # without the shift, as in training

        return Control(self.source, image.planes, strength, family=self.family, encode=encode)


class Both(NamedTuple):
    """What to draw and what to stay away from, both steered."""

    positive: Annotated[Conditioning, Output("positive")]
    negative: Annotated[Conditioning, Output("negative")]


def steered(said: Conditioning, control: Control) -> Conditioning:
    """Add a control to everything that is said."""
    return Conditioning(said.whole.each(lambda one: one.with_control((*one.control, control))))


class ControlNetLoader(Node):
    """Open a control network: it looks at a picture and steers what is drawn.

    ControlNets, control-LoRAs and T2I-adapters of the known layouts are recognised by their
    tensors. Files are looked for in `models/controlnet`.
    """

    category: ClassVar[str] = "loaders"
    title: ClassVar[str] = "Load ControlNet"
    control_net_name: File

    def run(self, ctx: Context) -> Annotated[ControlNet, Output("CONTROL_NET")]:
        """Map the file."""
        return loaded(ctx, self.control_net_name)


class DiffControlNetLoader(Node):
    """Open a control network that is kept as a difference to a model.

    Such a file is small or fits many fine-tunes, for it is added to the model that is
    steered. Files of other kinds open here too.
    """

    category: ClassVar[str] = "loaders"
    title: ClassVar[str] = "Load ControlNet (difference)"
    model: Model
    control_net_name: File

    def run(self, ctx: Context) -> Annotated[ControlNet, Output("CONTROL_NET")]:
        """Map the file, and put it on the model."""
        opened = loaded(ctx, self.control_net_name)
        return replace(opened, source=opened.source.on(self.model.network))


class ControlNetApply(Node):
    """Steer a picture by a hint: what is said and what is avoided hear it both.

    Connect what to draw here; the sampler lets the other prompt see the hint too.
    """

    category: ClassVar[str] = "conditioning/controlnet"
    title: ClassVar[str] = "Apply ControlNet to one prompt"
    conditioning: Conditioning
    control_net: Annotated[ControlNet, Label("ControlNet")]
    image: Hint
    strength: Strength = 1.0

    def run(self, ctx: Context) -> Applied:
        """Add the hint."""
        control = self.control_net.shown(self.image, self.strength, None, ctx)
        return steered(self.conditioning, replace(control, shared=True))


class ControlNetApplyAdvanced(Node):
    """Steer a picture by a hint: a picture of edges, a pose, or what the network reads.

    Several of these in a row add up. Composition is settled early in the walk: a network
    that stops at 0.5 leaves the details to the model.
    """

    category: ClassVar[str] = "conditioning/controlnet"
    title: ClassVar[str] = "Apply ControlNet"
    positive: Annotated[Conditioning, Help("What to draw.")]
    negative: Annotated[Conditioning, Help("What to stay away from.")]
    control_net: Annotated[ControlNet, Label("ControlNet")]
    image: Hint
    strength: Strength = 1.0
    start_percent: Start = 0.0
    end_percent: End = 1.0
    vae: Annotated[Vae, Help("For networks that see a latent.")] | None = None
    mask: Where | None = None

    def run(self, ctx: Context) -> Both:
        """Add the hint to both."""
        shown = self.control_net.shown(self.image, self.strength, self.vae, ctx)
        mask = None if self.mask is None else self.mask.pixels
        control = replace(shown, start=self.start_percent, end=self.end_percent, mask=mask)
        return Both(steered(self.positive, control), steered(self.negative, control))


class ControlNetApplySD3(Node):
    """Steer a picture of Stable Diffusion 3 by a hint, which its networks see as a latent."""

    category: ClassVar[str] = "conditioning/controlnet"
    title: ClassVar[str] = "Apply ControlNet with autoencoder"
    positive: Annotated[Conditioning, Help("What to draw.")]
    negative: Annotated[Conditioning, Help("What to stay away from.")]
    control_net: Annotated[ControlNet, Label("ControlNet")]
    vae: Vae
    image: Hint
    strength: Strength = 1.0
    start_percent: Start = 0.0
    end_percent: End = 1.0

    def run(self, ctx: Context) -> Both:
        """Add the hint to both."""
        shown = self.control_net.shown(self.image, self.strength, self.vae, ctx)
        control = replace(shown, start=self.start_percent, end=self.end_percent)
        return Both(steered(self.positive, control), steered(self.negative, control))


class SetUnionControlNetType(Node):
    """Tell a network that reads several kinds of hints which one it is shown.

    Other networks do not listen to it.
    """

    category: ClassVar[str] = "conditioning/controlnet"
    title: ClassVar[str] = "Set kind of hint"
    control_net: Annotated[ControlNet, Label("ControlNet")]
    type: Annotated[str, Choice((AUTO, *TASKS)), Label("Kind"), Help("What the hint shows.")]

    def run(self, ctx: Context) -> Annotated[ControlNet, Output("CONTROL_NET")]:
        """Note the task."""
        kinds: Sequence[int] = () if self.type == AUTO else (TASKS.index(self.type),)
        return replace(self.control_net, kinds=tuple(kinds))


def loaded(ctx: Context, name: str) -> ControlNet:
    """Open a control network by its name in the list."""
    return opened_at(ctx.folders.resolve("controlnet", name))


def opened_at(path: Path) -> ControlNet:
    """Open a control network's file."""
    opened = load_control(path)
    return ControlNet(opened.source, opened.family, latent=opened.latent)
