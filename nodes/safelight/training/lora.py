r"""Training a LoRA: a style or a thing, from captioned pictures.

The adapters A, B of some layers learn by the loss of the network they sit in,

    x = sqrt(abar_t) z + sqrt(1 - abar_t) n,     loss = w_t | target - answer(x, t, c) |^2

and everything else stays.  What the trainers of the field offer is here too:

    min-SNR        w_t = min(snr_t, gamma) / (snr_t + 1) for v, / snr_t for noise:
                   levels with little noise, where the loss is easy, count less
    noise offset   n += offset * one number for each picture and channel, so that
                   very dark and very bright pictures can be learnt
    prior          pictures of the class as it was, mixed in, so that it stays so
    text           adapters in the text encoder too
    parts          a batch in parts, each computed anew on the way back: the memory of
                   one part, the gradient of the whole batch
    checkpointing  the same for the whole network

Symbols: z clean latent, n noise, t level, snr_t = abar_t / (1 - abar_t), c caption.

Source: Hu et al. 2021 (arXiv:2106.09685); Hang et al. 2023 (arXiv:2303.09556), section 3.4;
Ruiz et al. 2022 (arXiv:2208.12242), section 3.2, for the prior.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from safelight.diffusion.clip import TextEncoder
from safelight.diffusion.denoiser import Prediction
from safelight.diffusion.latent import SD1
from safelight.diffusion.schedule import LEVELS, scaled_linear
from safelight.diffusion.unet import UNet
from safelight.training.adapter import Learner, adapted
from safelight.training.captioned import Examples
from safelight.training.loop import Pace
from safelight.training.prompts import Model

# Pieces of the paths of layers: attention, feed-forward and the ends of every transformer.
TRANSFORMERS = ("to_pixels", "to_prompt", "feed_forward", "project_in", "project_out")
CONVOLUTIONS = ("residual.conv", "before.conv", "after.conv", "shrink", "grow")
TEXT_LAYERS = ("attention", "feed_forward")
PACE = Pace(batch=16, muon=2e-3, adamw=2e-3, flat=0.4, average=0.98, report_every_s=1e9)
ENCODED_AT_ONCE = 32
UNTOLD = 0.1  # share of captions left empty


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a LoRA is like, and how it learns."""

    rank: int = 8
    alpha: float = 8.0
    targets: tuple[str, ...] = TRANSFORMERS
    text: bool = False
    min_snr: float | None = None  # gamma; 5 is usual
    noise_offset: float = 0.0
    prior: float = 1.0  # weight of the pictures that shall stay as they are
    parts: int = 1
    checkpointing: bool = False
    prediction: Prediction = "v"


def no_examination(model: Model, folder: Path) -> dict[str, float]:
    """Measure nothing."""
    return {}


class LoraStage:
    """Adapters in the denoiser, and in the text encoder if wanted, learn pictures."""

    name = "lora"

    def __init__(
        self,
        model: Model,
        examples: Examples,
        recipe: Recipe = Recipe(),
        prior: Examples | None = None,
        examine: Callable[[Model, Path], dict[str, float]] = no_examination,
    ) -> None:
        """Learn `examples` with `model` as it is; `examine` measures the model that learns."""
        self.recipe, self.examine = recipe, examine
        for network in (model.unet, model.text, model.autoencoder):
            network.eval().requires_grad_(False)
        self.unet: Learner[UNet] = adapted(model.unet, recipe.targets, recipe.rank, recipe.alpha)
        self.text: Learner[TextEncoder] | None = (
            adapted(model.text, TEXT_LAYERS, recipe.rank, recipe.alpha) if recipe.text else None
        )
        text = model.text if self.text is None else self.text.network
        self.taught = Model(self.unet.network, text, model.autoencoder, model.words)
        parts = {"unet": self.unet.adapters}
        self.network = nn.ModuleDict(parts | ({"text": self.text.adapters} if self.text else {}))
        self.shown = [_Shown.of(model, examples)]
        if prior is not None:
            self.shown.append(_Shown.of(model, prior))
        self.kept = scaled_linear().float()  # abar_t by level

    def loss(self, count: int, draw: torch.Generator, spent: float) -> Tensor:
        """Compare the answer for `count` noisy latents with what it should be."""
        parts = self.recipe.parts
        sizes = [count * (i + 1) // parts - count * i // parts for i in range(parts)]
        losses: list[Tensor] = []
        for size in filter(None, sizes):
            batches = [shown.drawn(size, draw) for shown in self.shown]
            weights = [1.0, self.recipe.prior][: len(batches)]
            for weight, (latents, ids) in zip(weights, batches, strict=True):
                noise = torch.randn(latents.shape, generator=draw)
                offset = torch.randn(*latents.shape[:2], 1, 1, generator=draw)
                noise = noise + self.recipe.noise_offset * offset
                stretches = (torch.arange(size) + torch.rand(size, generator=draw)) / size
                level = (stretches * LEVELS).long().clamp(max=LEVELS - 1)
                level = level[torch.randperm(size, generator=draw)]
                share = weight * size / count
                losses.append(share * self._part(latents, noise, level, ids))
        return torch.stack(losses).sum()

    def report(self, folder: Path) -> dict[str, float]:
        """Measure as the caller wishes."""
        return self.examine(self.taught, folder)

    def _part(self, *batch: Tensor) -> Float[Tensor, ""]:
        """Compute the error of a part, keeping what the way back needs or doing it twice."""
        if self.recipe.parts > 1 or self.recipe.checkpointing:
            error: Tensor = checkpoint(self._error, *batch, use_reentrant=False)
            return error
        return self._error(*batch)

    def _error(self, latents: Tensor, noise: Tensor, level: Tensor, ids: Tensor) -> Tensor:
        device = next(self.network.parameters()).device
        kept = self.kept[level][:, None, None, None]
        noisy = kept.sqrt() * latents + (1 - kept).sqrt() * noise
        velocity = kept.sqrt() * noise - (1 - kept).sqrt() * latents
        wanted = velocity if self.recipe.prediction == "v" else noise
        context = self.taught.text.to(device)(ids.to(device))
        unet = self.taught.unet.to(device)
        told = unet(noisy.to(device), level.float().to(device), context)
        errors = (told.float() - wanted.to(device)).square().mean((1, 2, 3))
        return (errors * self._weights(level).to(device)).mean()

    def _weights(self, level: Tensor) -> Float[Tensor, " B"]:
        """How much each level counts."""
        if self.recipe.min_snr is None:
            return torch.ones(len(level))
        snr = self.kept[level] / (1 - self.kept[level])
        below = snr + 1 if self.recipe.prediction == "v" else snr
        return snr.clamp(max=self.recipe.min_snr) / below


@dataclass(frozen=True, eq=False)
class _Shown:
    """Examples as the denoiser meets them: latents of each picture, and captions as ids."""

    latents: Float[Tensor, "N z h w"]
    ids: Sequence[Tensor]  # [ways, L] for each picture
    untold: Tensor  # the ids of an empty caption

    @classmethod
    def of(cls, model: Model, examples: Examples) -> "_Shown":
        """Encode pictures once."""
        encoded: list[Tensor] = []
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            for some in torch.split(examples.pictures, ENCODED_AT_ONCE):
                encoded.append(model.autoencoder.encode(some).mean.float() * SD1.scale)
        ids = [model.words.ids(list(ways)) for ways in examples.captions]
        return cls(torch.cat(encoded), ids, model.words.ids([""])[0])

    def drawn(self, count: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
        """Choose latents, and one of the captions of each, now and then none."""
        chosen = torch.randint(len(self.latents), (count,), generator=draw)
        ways = torch.rand(count, generator=draw).tolist()
        empty = (torch.rand(count, generator=draw) < UNTOLD).tolist()
        ids = [
            self.untold if left else self.ids[i][int(way * len(self.ids[i]))]
            for i, way, left in zip(chosen.tolist(), ways, empty, strict=True)
        ]
        return self.latents[chosen], torch.stack(ids)
