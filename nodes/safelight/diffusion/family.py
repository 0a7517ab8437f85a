r"""A family: one row of data about a published kind of model.

A file holds several networks, each below a prefix of its own.  A `Part` says how to size,
name and build one of them; a `Family` says which parts belong together, by which tensors
of the denoiser it is known, what the network predicts, and how its latents are scaled.
Sizes are read from the shapes, so that a scaled-down model loads by the same path.

The rows themselves are in the modules `family_*`; `families` finds the right one.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from torch import Tensor, nn

from safelight.diffusion.conditioning import Listen, hear_tokens
from safelight.diffusion.denoiser import Prediction
from safelight.diffusion.fused import Cuts, cuts_under, fused, unfused
from safelight.diffusion.latent import LatentFormat
from safelight.diffusion.memory import lies_in_file
from safelight.diffusion.schedule import NoiseSchedule, Schedule, scaled_linear
from safelight.diffusion.settings import Settings
from safelight.diffusion.texts import Join, Tower
from safelight.diffusion.vae import AutoencoderKL, VAEConfig
from safelight.diffusion.weights import (
    Checkpoint,
    CheckpointError,
    Shapes,
    Table,
    assemble,
    exported,
    under,
)

ConfigT = TypeVar("ConfigT")
NetworkT = TypeVar("NetworkT", bound=nn.Module)

# The shape of a tensor that marks a family, None being any size; None alone: it is not there.
Mark = tuple[int | None, ...] | None

NOTHING = re.compile(r"(?!)")  # matches no name


def uncut(config: object) -> Cuts:
    """No tensor of this part is fused."""
    return {}


@dataclass(frozen=True)
class Part(Generic[ConfigT, NetworkT]):
    """One network inside a file: where it lies, how to size, name and build it."""

    prefix: str
    sizes: Callable[[Shapes, Settings], ConfigT]
    table: Callable[[ConfigT], Table]
    build: Callable[[ConfigT], NetworkT]
    cuts: Callable[[ConfigT], Cuts] = uncut
    ignored: re.Pattern[str] = NOTHING  # names below the prefix that nothing needs

    def at(self, prefix: str) -> "Part[ConfigT, NetworkT]":
        """Return the same part for files that keep it below another prefix."""
        return replace(self, prefix=prefix)

    def lies_in(self, shapes: Shapes) -> bool:
        """Tell whether a file has anything below the prefix."""
        return any(name.startswith(self.prefix) for name in shapes)

    def load(self, checkpoint: Checkpoint, settings: Settings) -> NetworkT:
        """Assemble this network from the file's mapped tensors.

        Raises:
            CheckpointError: the tensors do not describe or do not fit such a network.
        """
        config = self._config(checkpoint, settings)
        tensors = {
            name: checkpoint.tensors[name]
            for name in checkpoint.shapes
            if name.startswith(self.prefix)
            and not self.ignored.fullmatch(name.removeprefix(self.prefix))
        }
        try:
            pieces = unfused(tensors, cuts_under(self.prefix, self.cuts(config)))
            network = assemble(lambda: self.build(config), pieces, self.names(config))
        except ValueError as error:
            raise CheckpointError(checkpoint.path, str(error)) from error
        lies_in_file(network, checkpoint.tensors.forget)
        return network

    def names(self, config: ConfigT) -> Table:
        """Return the table of full module paths in the file."""
        return under(self.prefix.removesuffix("."), "", self.table(config))

    def exported(self, network: NetworkT, config: ConfigT) -> dict[str, Tensor]:
        """Return a network's tensors under the file's names: `load` read backwards."""
        tensors = exported(network, self.names(config))
        return fused(tensors, cuts_under(self.prefix, self.cuts(config)))

    def _config(self, checkpoint: Checkpoint, settings: Settings) -> ConfigT:
        """Read the sizes of the network from the shapes of its tensors."""
        try:
            return self.sizes(below(self.prefix, checkpoint.shapes), settings)
        except KeyError as missing:
            absent = f"{self.prefix}{missing.args[0]}"
            raise CheckpointError(checkpoint.path, f"it lacks the tensor {absent}") from missing
        except ValueError as error:
            raise CheckpointError(checkpoint.path, str(error)) from error


@dataclass(frozen=True)
class TextPart:
    """A text encoder inside a file, and how its family reads prompts with it."""

    part: Part[Any, Any]
    # (network, the file, folders with vocabularies) -> the network with its tokenizer
    tower: Callable[[Any, Checkpoint, Sequence[Path]], Tower]
    required: bool = True  # without it no prompt can be read


@dataclass(frozen=True)
class Family:
    """One row: everything that sets a family's files apart."""

    name: str
    # Names of tensors in the denoiser.  No two rows may match one file.
    marks: Mapping[str, Mark]
    network: Part[Any, Any]  # the denoiser
    texts: Mapping[str, TextPart]  # by the short names that nodes use: "l", "g", "t5"
    join: Join  # what the towers heard -> what the denoiser is told
    vae: Part[VAEConfig, AutoencoderKL]
    latent: LatentFormat
    prediction: Prediction  # if neither the file's metadata nor its tensors tell
    tell: Callable[[Checkpoint], Prediction | None] = lambda checkpoint: None
    schedule: Callable[[], Schedule] = lambda: NoiseSchedule.of(scaled_linear())
    listen: Listen = hear_tokens  # what the denoiser hears of a conditioning
    # Tensors outside all parts that files carry and nothing needs: left-overs of training.
    ignored: re.Pattern[str] = NOTHING

    def matches(self, shapes: Shapes) -> bool:
        """Tell whether a denoiser of these tensors (named without prefix) is this family's."""
        return all(_bears(shapes, name, mark) for name, mark in self.marks.items())

    @property
    def homes(self) -> tuple[str, ...]:
        """The prefixes below which a file keeps this family's networks."""
        texts = (text.part.prefix for text in self.texts.values())
        return (self.network.prefix, *texts, self.vae.prefix)


def below(prefix: str, shapes: Shapes) -> Shapes:
    """Return the shapes of the tensors below a prefix, named without it."""
    return {
        name.removeprefix(prefix): shape
        for name, shape in shapes.items()
        if name.startswith(prefix)
    }


def _bears(shapes: Shapes, name: str, mark: Mark) -> bool:
    """Tell whether a denoiser has a tensor of that shape, or, for None, has none."""
    if mark is None or name not in shapes:
        return mark is None and name not in shapes
    shape = shapes[name]
    return len(shape) == len(mark) and all(
        want in (None, have) for want, have in zip(mark, shape, strict=True)
    )
