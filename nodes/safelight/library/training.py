"""Nodes that teach a LoRA, while one watches.

A training that is stopped, or whose process dies, goes on from where it was when the same node
runs again with the same inputs; one of more steps begins with what a shorter one has learnt.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, NamedTuple

import torch

from safelight.diffusion import conditioning
from safelight.diffusion.lora import merged
from safelight.graph.node import Choice, Context, Help, Label, Node, Output, Range, Seed
from safelight.graph.returns import Showing
from safelight.library.lora import fitted_texts
from safelight.library.picture_sets import PictureSet
from safelight.library.teaching import Course, Options, hearing
from safelight.library.training_files import Learnt, LoraModel, LossMap, put, taught_by
from safelight.library.training_options import (
    Batch,
    Format,
    Frugal,
    Loss,
    Optimizer,
    Parts,
)
from safelight.library.values import Clip, Conditioning, Latent, Model, Vae
from safelight.training.lora_export import pupil_metadata, pupil_tensors
from safelight.training.noised import Measure
from safelight.training.pupils import TARGETS, LoraPupil, Studied, Way

Steps = Annotated[int, Range(1, 100_000), Help("How often to learn; more go on where it ended.")]
Rate = Annotated[
    float, Range(1e-7, 1.0, step=1e-6), Label("Learning rate"), Help("How far to go at each step.")
]
TrainSeed = Annotated[int, Range(0, 2**64 - 1), Help("Which pictures and noise, in which order.")]
FileName = Annotated[str, Label("Name"), Help("Of the file; no other is overwritten.")]
Sample = Annotated[str, Help("A prompt drawn now and then; empty: the first caption.")]
Settings = Annotated[Options, Label("Options"), Help("How to learn, if not as usual.")]
Pictures = Annotated[PictureSet, Label("Pictures"), Help("What to learn.")]
Rank = Annotated[int, Range(1, 128), Help("How much can be learnt; larger files.")]
Alpha = Annotated[float, Range(0.01, 1024.0, step=0.5), Help("As the rank; less is quieter.")]
DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}


class Trained(NamedTuple):
    """A model that was taught, and what it learnt."""

    model_with_lora: Annotated[Model, Output("model_with_lora")]
    lora: Annotated[LoraModel, Output("lora")]
    loss: Annotated[LossMap, Output("loss")]
    steps: Annotated[int, Output("steps")]


class TaughtPair(NamedTuple):
    """A model and its text encoders with what was learnt, and the LoRA alone."""

    model: Annotated[Model, Output("MODEL", "The model with the LoRA.")]
    clip: Annotated[Clip, Output("CLIP", "The text encoders with the LoRA.")]
    lora: Annotated[LoraModel, Output("LORA_MODEL")]
    loss: Annotated[LossMap, Output("LOSS_MAP")]


class TrainLoraNode(Node):
    """Teach a model a LoRA from latents and what is told of each.

    The prompts are rows of one conditioning, one for each latent, or one for all; Load
    pictures and captions gives them so. For samples, text encoders that learn too, and a file,
    see Train LoRA on pictures.
    """

    category: ClassVar[str] = "training"
    title: ClassVar[str] = "Train LoRA"
    model: Model
    latents: Annotated[Latent, Help("What to learn.")]
    positive: Annotated[Conditioning, Help("What is told of each latent.")]
    batch_size: Batch = 1
    grad_accumulation_steps: Parts = 1
    steps: Steps = 16
    learning_rate: Rate = 0.0005
    rank: Rank = 8
    optimizer: Optimizer = "AdamW"
    loss_function: Loss = "MSE"
    seed: TrainSeed = 0
    training_dtype: Annotated[Format, Label("Compute in")] = "bf16"
    lora_dtype: Annotated[Format, Label("Keep in")] = "bf16"
    algorithm: Annotated[str, Choice(("LoRA",)), Label("Kind")] = "LoRA"
    gradient_checkpointing: Frugal = True
    existing_lora: Annotated[str, Choice(("[None]",)), Label("Begin with")] = "[None]"

    def run(self, ctx: Context) -> Trained:
        """Teach it, and give it back taught."""
        measure, frugal = Measure(self.loss_function), self.gradient_checkpointing
        way = Way(measure, checkpointing=frugal, untold=0.0)
        fast, parts = self.training_dtype == "bf16", self.grad_accumulation_steps
        options = Options(way, self.batch_size, parts, self.optimizer, bfloat16=fast)
        course = Course(ctx, self.model, options, self.steps, self.learning_rate, self.seed)
        form = self.model.format
        clean = form.to_diffusion(self.latents.fitting(form, "model"))
        sets = [Studied(clean, rows(hearing(self.model, self.positive.whole)))]
        size = Size(self.rank, float(self.rank))
        keep = DTYPES[self.lora_dtype]
        lora, losses, _ = taught(course, sets, size, dtype=keep)
        model = taught_by(self.model, lora, 1.0).result
        return Trained(model, lora, losses, self.steps)


class TrainLora(Node):
    """Teach a model a style, a figure or a thing from pictures with captions: a LoRA.

    The loss and a sample are shown on the way. Pictures that shall stay as they are (of other
    things of the same kind) keep the model from forgetting. The file lies among your LoRAs
    afterwards, in the layout of kohya's trainer, which every program reads.
    """

    category: ClassVar[str] = "training"
    title: ClassVar[str] = "Train LoRA on pictures"
    effect: ClassVar[bool] = True
    model: Model
    clip: Annotated[Clip, Label("Text encoder")]
    vae: Vae
    pictures: Pictures
    name: FileName = "my-lora"
    steps: Steps = 500
    learning_rate: Rate = 0.0005
    rank: Rank = 8
    alpha: Alpha = 8.0
    targets: Annotated[str, Choice(tuple(TARGETS)), Label("What learns")] = "transformers"
    train_text_encoder: Annotated[bool, Label("Text encoder learns")] = False
    seed: Annotated[TrainSeed, Seed()] = 0
    sample: Sample = ""
    keep: Annotated[PictureSet, Help("Pictures that shall stay as they are.")] | None = None
    options: Settings | None = None

    def run(self, ctx: Context) -> Showing[TaughtPair]:
        """Teach it, keep the file, and give back what was taught."""
        options, learns = self.options or Options(), self.train_text_encoder
        course = Course(
            *(ctx, self.model, options, self.steps, self.learning_rate, self.seed),
            *(self.clip, self.vae, learns),
        )
        given = [one.examples for one in (self.pictures, self.keep) if one is not None]
        sets = [course.studied(examples) for examples in given]
        size = Size(self.rank, self.alpha, self.targets, given[0].captions)
        lora, losses, made = taught(course, sets, size, course.asked(self.sample, given[0]))
        kept = put(ctx.folders, "loras", self.name, made, lora.tensors, lora.metadata)
        model = taught_by(self.model, lora, 1.0).result
        return Showing(TaughtPair(model, heard_by(self.clip, lora), lora, losses), kept)

    @classmethod
    def holds(cls, result: object) -> bool:
        """Write again what is gone."""
        return Learnt.of(result)


@dataclass(frozen=True, slots=True)
class Size:
    """How large a LoRA is, where it sits, and of what it was told."""

    rank: int
    alpha: float
    targets: str = "transformers"
    captions: Sequence[Sequence[str]] = ()


def taught(
    course: Course,
    sets: Sequence[Studied],
    size: Size,
    sample: conditioning.Conditioning | str | None = None,
    dtype: torch.dtype = torch.float16,
) -> tuple[LoraModel, LossMap, str]:
    """Teach a LoRA; return it with the loss of each step and the name of the training."""
    way, rank, alpha = course.options.way, size.rank, size.alpha
    name = course.name("lora", sets, rank, alpha, size.targets)
    with course.lent() as (model, texts):
        pupil = course.seeded(
            lambda: LoraPupil(model, texts, sets, way, course.place, rank, alpha, size.targets)
        )
        losses = course.teach(pupil, name, sample)
        tensors = pupil_tensors(pupil, dtype)
    family = course.model.family
    metadata = pupil_metadata(family, rank, alpha, course.plan, way, size.captions)
    return LoraModel(tensors, metadata), LossMap(tuple(losses)), f"{name} {course.steps}"


def heard_by(clip: Clip, lora: LoraModel) -> Clip:
    """Return text encoders with what a LoRA changes in them."""
    towers = clip.texts.towers
    networks = {
        name: merged(towers[name].network, fitting.edits, 1.0)
        for name, fitting in fitted_texts(lora.file, clip.texts).items()
    }
    return Clip(clip.texts.around(networks))


def rows(said: conditioning.Conditioning) -> list[list[conditioning.Conditioning]]:
    """Return the rows of a conditioning, each for one picture."""
    several = torch.split(said.tokens, 1)
    pooled = [None] * len(several) if said.pooled is None else torch.split(said.pooled, 1)
    return [
        [replace(said, tokens=tokens, pooled=one)]
        for tokens, one in zip(several, pooled, strict=True)
    ]
