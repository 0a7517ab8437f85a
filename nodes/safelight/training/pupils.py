r"""Pupils: what can be taught to a model of any family while somebody watches.

    a LoRA        adapters beside layers of the denoiser, and of the text encoders if wanted
    a word        rows of the text encoders' tables, the denoiser frozen
    a control     a copy of half a U-Net that sees hints, the U-Net frozen

All three learn by the one loss of `noised`: latents of the pictures are drowned in noise, the
network is told what a caption says, and its answer is compared with what is known.  A pupil
holds the model as it is while it learns (`taught`), so that samples can be drawn on the way.

Captions are read once where the text encoders do not learn, and at each step where they do.
Some are left out, so that the model can still draw without being told what.
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from safelight.diffusion.clip import TextEncoder
from safelight.diffusion.conditioning import Conditioning, Frame, Inputs, stacked
from safelight.diffusion.control import NOTHING, Control, Residuals
from safelight.diffusion.controlnet import ControlNet, ControlNetConfig, copied
from safelight.diffusion.denoiser import LatentModel, bare
from safelight.diffusion.memory import Placement, resident
from safelight.diffusion.texts import Texts
from safelight.diffusion.unet import UNet
from safelight.training.adapter import Learner, adapted
from safelight.training.lora import CONVOLUTIONS, TEXT_LAYERS, TRANSFORMERS
from safelight.training.noised import CannotLearn, Measure, Noised, check, error, noised
from safelight.training.recomputed import recomputed

UNTOLD = 0.1  # share of captions left out
UNTOLD_CONTROL = 0.4  # more, so that hints have to be read
# What is adapted: pieces of the paths of layers in a U-Net.  Other networks are blocks throughout.
TARGETS: Mapping[str, tuple[str, ...]] = {
    "transformers": TRANSFORMERS,
    "attention": ("to_pixels", "to_prompt"),
    "transformers and convolutions": (*TRANSFORMERS, *CONVOLUTIONS),
}
BLOCKS = ("blocks.",)


@dataclass(frozen=True, eq=False)
class Studied:
    """Pictures as the denoiser meets them, and what can be said of each.

    `said` has conditionings where captions are read beforehand, else the captions themselves.
    """

    latents: Float[Tensor, "N C h w"]  # in the scale of diffusion
    said: Sequence[Sequence[Conditioning | str]]
    unsaid: Conditioning | str | None = None  # what stands for no caption; None: always told
    hints: Float[Tensor, "N 3 H W"] | None = None  # in 0..1

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        if not len(self.latents) or len(self.said) not in (1, len(self.latents)):
            counts = f"{len(self.latents)} pictures and {len(self.said)} captions"
            raise CannotLearn(f"want pictures, and one caption for all or for each; got {counts}")

    def drawn(self, count: int, draw: torch.Generator, untold: float) -> "Drawn":
        """Choose pictures, and one of the captions of each, now and then none."""
        chosen = torch.randint(len(self.latents), (count,), generator=draw)
        ways = torch.rand(count, generator=draw).tolist()
        empty = (torch.rand(count, generator=draw) < untold).tolist()
        said: list[Conditioning | str] = []
        for picture, way, left in zip(chosen.tolist(), ways, empty, strict=True):
            captions = self.said[picture % len(self.said)]
            own = captions[int(way * len(captions))]
            said.append(self.unsaid if left and self.unsaid is not None else own)
        hints = None if self.hints is None else self.hints[chosen]
        return Drawn(self.latents[chosen], said, hints)


@dataclass(frozen=True, eq=False)
class Drawn:
    """Some of what is studied, for one step."""

    latents: Float[Tensor, "B C h w"]
    said: Sequence[Conditioning | str]
    hints: Float[Tensor, "B 3 H W"] | None


@dataclass(frozen=True, slots=True)
class Way:
    """How a pupil learns, whatever it is."""

    measure: Measure = field(default_factory=Measure)
    noise_offset: float = 0.0
    prior: float = 1.0  # weight of the pictures that shall stay as they are
    checkpointing: bool = False  # compute blocks anew on the way back
    untold: float = UNTOLD


class Lessons:
    """What all pupils share: the model that is taught, and the loss on what is studied."""

    network: nn.Module  # what learns

    def __init__(
        self,
        taught: LatentModel,
        texts: Texts | None,
        studied: Sequence[Studied],
        way: Way,
        place: Placement,
    ) -> None:
        """Teach `taught` with the first of `studied`; the second shall stay as it is."""
        check(taught)
        if texts is not None and texts.lacking:
            raise CannotLearn(texts.lacking)
        self.taught, self.texts, self.studied = taught, texts, studied
        self.way, self.place = way, place

    def loss(self, count: int, draw: torch.Generator, spent: float) -> Tensor:
        """Compare the answers about `count` noisy latents with what they should be."""
        losses = [
            weight * self._error(one.drawn(count, draw, self.way.untold), draw)
            for weight, one in zip((1.0, self.way.prior), self.studied, strict=False)
        ]
        return torch.stack(losses).sum()

    def residuals(self, drawn: Drawn, asked: Noised, told: Inputs) -> Residuals:
        """Return what a second network adds."""
        return NOTHING

    def hear(self, said: Conditioning | str) -> Conditioning:
        """Read a caption, if it has not been read beforehand; gradients go through."""
        if isinstance(said, Conditioning):
            return said
        assert self.texts is not None
        return read(self.texts, said)

    def shown(self, said: Conditioning | str) -> Conditioning:
        """Return what the model is told to draw a sample."""
        return self.hear(said)

    def computing(self) -> AbstractContextManager[object]:
        """Return what to compute in: bfloat16 where the weights that stay lie in it."""
        fast = self.place.dtype == torch.bfloat16
        return torch.autocast(self.place.device.type, torch.bfloat16, enabled=fast)

    def _error(self, drawn: Drawn, draw: torch.Generator) -> Tensor:
        asked = noised(drawn.latents, self.taught.schedule, draw, self.way.noise_offset)
        frame = Frame(drawn.latents.shape[2], drawn.latents.shape[3])
        read_once = {id(said): self.hear(said) for said in drawn.said}
        heard = [self.taught.listen(read_once[id(said)], frame) for said in drawn.said]
        told = _together(heard).to(self.place.device, torch.float32)
        residuals = self.residuals(drawn, asked, told)
        return error(self.taught, asked, told, self.way.measure, residuals)


class LoraPupil(Lessons):
    """Adapters beside the layers of a denoiser, and of its text encoders."""

    def __init__(
        self,
        model: LatentModel,
        texts: Texts | None,
        studied: Sequence[Studied],
        way: Way,
        place: Placement,
        rank: int = 8,
        alpha: float = 8.0,
        targets: str = "transformers",
    ) -> None:
        """Teach `model`, and `texts` if they are given."""
        network = bare(model.network)
        pieces = TARGETS[targets] if isinstance(network, UNet) else BLOCKS
        self.unet: Learner[nn.Module] = adapted(network, pieces, rank, alpha)
        self.towers: dict[str, Learner[nn.Module]] = {
            name: adapted(tower.network, TEXT_LAYERS, rank, alpha)
            for name, tower in (texts.towers if texts is not None else {}).items()
            if isinstance(tower.network, TextEncoder)
        }
        learners = {"unet": self.unet, **self.towers}
        self.network = nn.ModuleDict({name: one.adapters for name, one in learners.items()})
        self.network.to(place.device)
        if texts is not None:
            texts = texts.around({name: one.network for name, one in self.towers.items()})
        denoiser = recomputed(self.unet.network) if way.checkpointing else self.unet.network
        super().__init__(replace(model, network=denoiser), texts, studied, way, place)


class WordPupil(Lessons):
    """The rows of a new word, in every text encoder that can learn one."""

    def __init__(
        self,
        model: LatentModel,
        texts: Texts,
        studied: Sequence[Studied],
        way: Way,
        place: Placement,
        name: str,
        rows: Mapping[str, Float[Tensor, "N D"]],
    ) -> None:
        """Teach `texts` the word `name`, from the first `rows` for each tower."""
        self.table = nn.ParameterDict({tower: nn.Parameter(row) for tower, row in rows.items()})
        self.network = self.table.to(place.device)
        taught = {
            tower: one.knowing({name: self.table[tower]}) if tower in rows else one
            for tower, one in texts.towers.items()
        }
        network = bare(model.network)
        denoiser = recomputed(network) if way.checkpointing else network
        model = replace(model, network=denoiser)
        super().__init__(model, replace(texts, towers=taught), studied, way, place)

    @property
    def rows(self) -> dict[str, Float[Tensor, "N D"]]:
        """The rows as they are now, by tower."""
        return {tower: row.detach().float().cpu() for tower, row in self.table.items()}


class ControlPupil(Lessons):
    """A copy of half a U-Net that learns what hints mean."""

    def __init__(
        self,
        model: LatentModel,
        studied: Sequence[Studied],
        way: Way,
        place: Placement,
        hint_widths: tuple[int, ...],
    ) -> None:
        """Let a copy see the hints of what is studied."""
        unet = bare(model.network)
        if not isinstance(unet, UNet):
            raise CannotLearn(
                f"ControlNets are taught to U-Nets, and {model.family} has a {type(unet).__name__}"
            )
        config = ControlNetConfig(unet.config, hint_widths=hint_widths)
        self.copy: ControlNet = copied(unet, config).float().to(place.device).requires_grad_(True)
        self.network = self.copy
        self.asked = recomputed(self.copy) if way.checkpointing else self.copy
        denoiser = recomputed(unet) if way.checkpointing else unet
        super().__init__(replace(model, network=denoiser), None, studied, way, place)

    def shown(self, said: Conditioning | str) -> Conditioning:
        """Show the first hint too."""
        hints = self.studied[0].hints
        assert hints is not None
        return self.hear(said).with_control((Control(self.copy, hints[:1]),))

    def residuals(self, drawn: Drawn, asked: Noised, told: Inputs) -> Residuals:
        """Show the copy the hints."""
        assert drawn.hints is not None
        device = self.place.device
        timestep = self.taught.schedule.timestep(asked.sigma).float().to(device)
        seen = asked.seen(self.taught).to(device)
        return self.asked(seen, timestep, told.tokens, drawn.hints.to(device), told.vector)


def read(texts: Texts, caption: str) -> Conditioning:
    """Read a caption with text encoders as they are, so that gradients go through."""
    return texts.join(
        {name: tower.encode(tower.network, caption) for name, tower in texts.towers.items()}
    )


@contextmanager
def lent(texts: Texts, place: Placement) -> Generator[Texts]:
    """Lend text encoders where and in the format that they compute in."""
    with ExitStack() as stack:
        yield texts.around(
            {
                name: stack.enter_context(resident(tower.network, place))
                for name, tower in texts.towers.items()
            }
        )


def _together(several: Sequence[Inputs]) -> Inputs:
    """Stack what is heard of several pictures.

    Raises:
        CannotLearn: captions are of different lengths, in a family where that matters.
    """
    lengths = {one.length for one in several}
    if len(lengths) > 1:
        raise CannotLearn(
            f"captions of {min(lengths)} and {max(lengths)} tokens cannot share a batch with this "
            "model: make them of like length, or the batch 1"
        )
    return stacked(several, 1)
