"""How nodes teach: the model is lent, the steps are taken, and whoever looks sees them.

A training is named by what is in its inputs (`training.identity`), and its state lies in the
home's folder `training` under that name.  So the same node with the same inputs goes on where it
was stopped or killed, in whatever workflow it stands.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import astuple, dataclass, field, replace
from typing import ClassVar, TypeVar

import numpy as np
import torch
from torch import Tensor

from safelight.diffusion import memory
from safelight.diffusion.conditioning import Conditioning
from safelight.diffusion.denoiser import LatentModel
from safelight.diffusion.memory import Placement
from safelight.diffusion.texts import Texts
from safelight.diffusion.walk import Walk, develop
from safelight.graph.node import Context
from safelight.library.developing import exposed
from safelight.library.loss_curve import beside, loss_curve
from safelight.library.prompts import told
from safelight.library.values import Clip, Model, Vae
from safelight.training.captioned import Examples
from safelight.training.identity import identity
from safelight.training.noised import CannotLearn
from safelight.training.place import computes_bfloat16
from safelight.training.pupils import Lessons, Studied, Way, lent
from safelight.training.stepwise import Learning, Plan

FOLDER = "training"  # of the home; whoever empties it loses nothing but unfinished trainings
SAMPLES, SAMPLE_EVERY = 10, 20  # pictures drawn at most, and steps between them at least
SAMPLE_STEPS, SAMPLE_GUIDANCE = 12, 4.0
LOOK = (384, 288)  # pixels of the curve
Taught = TypeVar("Taught", bound=Lessons)


@dataclass(frozen=True, slots=True)
class Options:
    """How to learn, beyond what every training must be told."""

    wire: ClassVar[str] = "TRAINING_OPTIONS"
    way: Way = field(default_factory=Way)
    batch: int = 1
    parts: int = 1
    optimizer: str = "AdamW"
    average: float = 0.0
    bfloat16: bool = True


@dataclass(frozen=True, eq=False)
class Course:
    """One training: a model, how long it learns, in which way, and who reads and sees for it."""

    ctx: Context
    model: Model
    options: Options
    steps: int
    rate: float
    seed: int
    clip: Clip | None = None
    vae: Vae | None = None
    in_words: bool = False  # captions are read at each step, for the text encoders learn

    @property
    def place(self) -> Placement:
        """Where to learn, and in what format the weights lie that stay as they are."""
        place = memory.choose(self.ctx.device, "float32")
        if self.options.bfloat16 and computes_bfloat16(place.device):
            return replace(place, dtype=torch.bfloat16)
        return place

    @property
    def plan(self) -> Plan:
        """How the training goes on."""
        own, fast = self.options, self.place.dtype == torch.bfloat16
        return Plan(
            self.steps,
            self.rate,
            own.batch,
            own.parts,
            own.optimizer,
            self.seed,
            own.average,
            bfloat16=fast,
        )

    @property
    def texts(self) -> Texts | None:
        """The text encoders, if they are needed while the training goes on."""
        return self.clip.texts if self.clip is not None and self.in_words else None

    def studied(
        self, examples: Examples, *, untold: bool = True, hints: Tensor | None = None
    ) -> Studied:
        """Return pictures as latents, and captions, read beforehand where that can be done.

        Raises:
            FormatMismatch: the autoencoder is of another family.
            CannotLearn: the text encoder is of another family.
        """
        assert self.clip is not None
        assert self.vae is not None
        form, texts = self.model.format, self.clip.texts
        raw = exposed(self.ctx, (examples.pictures + 1) / 2, self.vae).fitting(form, "model")
        empty = hearing(self.model, told(self.ctx, texts, ""))
        if self.in_words:
            return Studied(form.to_diffusion(raw), examples.captions, "" if untold else None, hints)
        texts_told = {text for ways in examples.captions for text in ways}
        known = {text: told(self.ctx, texts, text) for text in sorted(texts_told)}
        said = [[known[text] for text in ways] for ways in examples.captions]
        return Studied(form.to_diffusion(raw), said, empty if untold else None, hints)

    def name(self, kind: str, sets: Sequence[Studied], *more: object) -> str:
        """Return the name of the training: by the model, the text encoders, and all it learns."""
        towers = [] if self.texts is None else [t.network for t in self.texts.towers.values()]
        denoiser, plan = self.model.denoiser, replace(self.plan, steps=1)
        return identity(
            kind,
            (self.model.network, denoiser.schedule.sigmas, denoiser.prediction, towers),
            (str(self.place.device), astuple(plan), astuple(self.options.way)),
            [_parts(one) for one in sets],
            more,
        )

    @contextmanager
    def lent(self) -> Generator[tuple[LatentModel, Texts | None]]:
        """Lend the model and the text encoders that learn, where they compute, gradients on."""
        with ExitStack() as stack:
            network = stack.enter_context(memory.resident(self.model.network, self.place))
            exact = replace(self.place, dtype=torch.float32)  # words are heard exactly
            texts = self.texts and stack.enter_context(lent(self.texts, exact))
            stack.enter_context(torch.enable_grad())
            yield replace(self.model.denoiser, network=network, family=self.model.family), texts

    def seeded(self, make: Callable[[], Taught]) -> Taught:
        """Make a pupil whose first numbers depend on the seed alone."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return make()

    def teach(self, pupil: Lessons, name: str, sample: Conditioning | str | None) -> list[float]:
        """Take all steps that are left, shown as they are taken; return all losses.

        A `sample` is what to draw on the way.  Afterwards the pupil is as the average of its
        steps was, if one is kept.

        Raises:
            Interrupted: somebody stopped it; what was learnt is kept.
        """
        path = self.ctx.folders.home / FOLDER / name / f"{self.steps}.pt"
        learning = Learning(pupil, self.plan)
        view = View(learning, None if sample is None else self._sampler(pupil, sample))
        left = self.steps - learning.resume(path)
        with closing(learning.steps(path)) as steps:
            for _ in self.ctx.track(steps, total=left):
                self.ctx.preview(view.jpeg)
        learning.finish()
        return learning.losses

    def asked(self, sample: str, examples: Examples) -> Conditioning | str:
        """Return what to draw on the way: what is asked for, or else the first caption."""
        assert self.clip is not None
        text = sample.strip() or examples.captions[0][0]
        return text if self.in_words else told(self.ctx, self.clip.texts, text)

    def _sampler(self, pupil: Lessons, sample: Conditioning | str) -> Callable[[], Tensor]:
        """Return what draws a picture [3, H, W] in -1..1, with the pupil as it is then."""
        assert self.clip is not None
        assert self.vae is not None
        unsaid, vae = told(self.ctx, self.clip.texts, ""), self.vae.network
        ways = ("euler", "simple") if self._flows else ("dpmpp_2m", "normal")
        walk = Walk(0, SAMPLE_STEPS, SAMPLE_GUIDANCE, *ways)
        size = tuple(pupil.studied[0].latents.shape[1:])
        pictures = memory.choose(self.ctx.device, self.ctx.precision).for_pictures

        def draw() -> Tensor:
            x = torch.zeros(1, *size, device=self.place.device)
            with torch.no_grad(), pupil.computing():
                for step in develop(pupil.taught, pupil.shown(sample), unsaid, x, walk):
                    x = step.x
            raw = memory.converted(self.model.format.to_autoencoder(x.float()), pictures)
            with memory.resident(vae, pictures) as network:
                return network.decode(raw)[0].float().cpu()

        return draw

    @property
    def _flows(self) -> bool:
        return self.model.denoiser.prediction == "flow"


class View:
    """What a training looks like: the last sample, and the curve of its losses."""

    def __init__(self, learning: Learning, draw: Callable[[], Tensor] | None) -> None:
        self.learning, self.draw = learning, draw
        self.sample: np.ndarray | None = None
        self.due = 0  # the step at which to draw the next sample

    def jpeg(self) -> bytes:
        """Draw what is to be seen now."""
        steps, done = self.learning.plan.steps, self.learning.step
        if self.draw is not None and done >= self.due:
            self.due = done + max(steps // SAMPLES, SAMPLE_EVERY)
            levels = (self.draw().clamp(-1, 1) + 1) * 127.5
            self.sample = levels.round().byte().movedim(0, -1).contiguous().numpy()
        return beside(self.sample, loss_curve(self.learning.losses, steps, *LOOK))


def hearing(model: Model, said: Conditioning) -> Conditioning:
    """Return what is said, if the model's family can hear it.

    Raises:
        CannotLearn: a text encoder of another family said it.
    """
    wanted = getattr(getattr(model.network, "config", None), "context_width", None)
    given = said.tokens.shape[-1]
    if wanted not in (None, given):
        raise CannotLearn(
            f"this text encoder gives vectors of {given} numbers, and a model of {model.family} "
            f"hears {wanted}: it belongs to another family"
        )
    return said


def _parts(studied: Studied) -> list[object]:
    """Return what is studied as tensors and texts."""
    said = [[_told(one) for one in ways] for ways in studied.said]
    return [studied.latents, said, _told(studied.unsaid), studied.hints]


def _told(said: Conditioning | str | None) -> object:
    return (said.tokens, said.pooled) if isinstance(said, Conditioning) else said
