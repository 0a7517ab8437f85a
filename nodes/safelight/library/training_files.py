"""What was learnt: applied from the wire it comes by, kept, and looked at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
import torch
from torch import Tensor

from safelight.diffusion.lora_file import LoraFile, read_lora
from safelight.diffusion.lora_names import TEXT
from safelight.diffusion.weights import CheckpointError, open_checkpoint, save_checkpoint
from safelight.diffusion.writing import File
from safelight.graph.folders import FolderError, Folders
from safelight.graph.node import Context, Help, Label, Node, Range, Shown
from safelight.graph.returns import Showing
from safelight.library.image import Written, written
from safelight.library.lora import Strength, Taught, applied, fitted, notes, strays
from safelight.library.loss_curve import loss_curve
from safelight.library.saving import SUFFIX, Kept, kept
from safelight.library.values import Image, Model

TRAINING_KEY = "safelight.training"  # of a file's metadata: the name of the training it is from
CURVE = (768, 432)  # pixels
Prefix = Annotated[str, Label("Name"), Help("Files are numbered after it; a/b makes a folder a.")]


@dataclass(frozen=True, eq=False)
class LoraModel:
    """A LoRA that lies in no file: tensors by kohya's names, and how it was trained."""

    wire: ClassVar[str] = "LORA_MODEL"
    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str]

    @property
    def file(self) -> LoraFile:
        """The same, as if it had been read from a file."""
        return read_lora(Path("the LoRA on the wire"), self.tensors, self.metadata)


@dataclass(frozen=True, slots=True)
class LossMap:
    """The loss of each step of a training."""

    wire: ClassVar[str] = "LOSS_MAP"
    losses: tuple[float, ...]


class LoraModelLoader(Node):
    """Teach a model what was learnt a moment ago, straight from the training."""

    category: ClassVar[str] = "loaders"
    title: ClassVar[str] = "Apply trained LoRA"
    model: Model
    lora: Annotated[LoraModel, Label("LoRA")]
    strength_model: Strength = 1.0

    def run(self, ctx: Context) -> Showing[Taught]:
        """Move the weights; show what was not used."""
        if not self.strength_model:
            return Showing(self.model, Shown({}))
        return taught_by(self.model, self.lora, self.strength_model)


class SaveLoRANode(Node):
    """Keep a LoRA as a file that every program reads, in the output folder."""

    category: ClassVar[str] = "loaders"
    title: ClassVar[str] = "Save LoRA"
    effect: ClassVar[bool] = True
    lora: Annotated[LoraModel, Label("LoRA")]
    prefix: Prefix = "loras/safelight"
    steps: Annotated[int, Range(0), Help("Put into the name, if given.")] | None = None

    def run(self, ctx: Context) -> Shown:
        """Write the file."""
        name = f"_{self.steps}_steps" if self.steps is not None else ""
        return kept(ctx, self.prefix, (name, File(self.lora.tensors, self.lora.metadata)))

    @classmethod
    def holds(cls, result: object) -> bool:
        """Write again what is gone."""
        return isinstance(result, Kept) and result.still_there


class LossGraphNode(Node):
    """Draw how the loss fell: each step a dot, their running mean a line."""

    category: ClassVar[str] = "training"
    title: ClassVar[str] = "Show loss"
    effect: ClassVar[bool] = True
    loss: Annotated[LossMap, Label("Loss")]
    filename_prefix: Prefix = "loss_graph"

    def run(self, ctx: Context) -> Shown:
        """Draw it."""
        losses = self.loss.losses
        drawn = np.array(loss_curve(losses, len(losses), *CURVE))
        image = Image(torch.from_numpy(drawn)[None].float() / 255)
        return written(ctx, image, "temp", self.filename_prefix)

    @classmethod
    def holds(cls, result: object) -> bool:
        """Draw again what is gone."""
        return isinstance(result, Written) and result.still_there


def taught_by(model: Model, lora: LoraModel, strength: float) -> Showing[Model]:
    """Apply a LoRA to a model, and show what means no part of it."""
    file = lora.file
    taught = fitted(file, model)
    left = strays(file, [taught], model.family, heard=TEXT)
    return Showing(applied(model, taught, strength), notes(left, model.family))


@dataclass(frozen=True, slots=True)
class Learnt(Shown):
    """What was written of a training, and where."""

    path: Path = Path()

    @classmethod
    def of(cls, result: object) -> bool:
        """Tell whether the file of a remembered result is still there."""
        shown = result.shown if isinstance(result, Showing) else None
        return isinstance(shown, cls) and shown.path.is_file()


def put(
    folders: Folders,
    kind: str,
    name: str,
    training: str,
    tensors: Mapping[str, Tensor],
    metadata: Mapping[str, str],
) -> Learnt:
    """Write what a training gave among the user's models, as `name` or with a number behind it.

    No other file is overwritten; the same training finds its own file again.

    Raises:
        FolderError: there is no name, or it leads out of the folder.
    """
    path = free_place(folders, kind, name, training)
    save_checkpoint(path, tensors, {**metadata, TRAINING_KEY: training})
    said = f"{kind}/{path.relative_to(folders.directory(kind)).as_posix()}"
    size = path.stat().st_size
    return Learnt({"notes": [{"text": f"kept as {said}, {size / 1e6:.2f} MB"}]}, path)


def free_place(folders: Folders, kind: str, name: str, training: str) -> Path:
    """Return where to write: the first of name, name-2, name-3 .. that no other file has."""
    if not name.strip() or name.endswith(("/", "\\")):
        raise FolderError(f"{kind}: the file that is to be written has no name")
    number = 1
    while True:
        path = folders.place_for(kind, f"{name}{'' if number == 1 else f'-{number}'}{SUFFIX}")
        if not path.exists() or _training_of(path) == training:
            return path
        number += 1


def _training_of(path: Path) -> str:
    """Return the training that a file is from; empty for others."""
    try:
        return open_checkpoint(path).metadata.get(TRAINING_KEY, "")
    except CheckpointError:
        return ""


def losses_of(losses: Sequence[float]) -> LossMap:
    """Return losses as they travel on a wire."""
    return LossMap(tuple(losses))
