r"""Training the U-Net: from a drowned latent, tell the velocity.

A latent z of unit deviation is mixed with noise n at a random level t,

    x = sqrt(abar_t) z + sqrt(1 - abar_t) n

and the network, which also hears the caption, tells

    v = sqrt(abar_t) n - sqrt(1 - abar_t) z,      loss = (v' - v)^2

The velocity asks for the noise where there is little and for the picture where
there is much, so no level needs a weight.  One caption in ten is left empty:
guidance needs a network that can also draw without being told what.  The
levels of a batch are spread evenly (each in its own stretch of 0..999), which
makes the loss less noisy.

Source: Salimans & Ho 2022 (arXiv:2202.00512), appendix D; Ho & Salimans 2022
(arXiv:2207.12598), algorithm 1; the schedule is `diffusion.schedule`'s.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from safelight.diffusion.clip import TextEncoder
from safelight.diffusion.schedule import LEVELS, scaled_linear
from safelight.diffusion.unet import UNet, UNetConfig
from safelight.training.loop import Pace
from safelight.training.pictures import Captions
from safelight.training.tokenizer import Words

CONFIG = UNetConfig(
    width=64,
    multipliers=(1, 2, 2),
    blocks=1,
    depths=(1, 1, 1),
    context_width=192,
    heads=4,
    groups=16,
)
PACE = Pace(batch=64, muon=0.02, adamw=1.5e-3, decay=0.01, flat=0.5, average=0.995)
UNTOLD = 0.1  # share of captions left empty
MEASURED = 256  # held-out latents behind the figure
MEASURE_SEED = 7
REMEMBERED = 60_000  # encoded captions, 30 kB each


def velocity_error(
    network: Callable[..., Tensor],
    latents: Float[Tensor, "B z h w"],
    context: Float[Tensor, "B L D"],
    draw: torch.Generator,
) -> Float[Tensor, ""]:
    """How wrong a network tells the velocity of noisy latents, each at a level of its own."""
    count = len(latents)
    noise = torch.randn(latents.shape, generator=draw)
    stretches = (torch.arange(count) + torch.rand(count, generator=draw)) / count
    level = (stretches * LEVELS).long().clamp(max=LEVELS - 1)
    kept = scaled_linear().float()[level][:, None, None, None]  # abar_t
    noisy = kept.sqrt() * latents + (1 - kept).sqrt() * noise
    velocity = kept.sqrt() * noise - (1 - kept).sqrt() * latents
    told = network(noisy, level.float(), context)
    return (told.float() - velocity).square().mean()


class DenoiserStage:
    """The U-Net learns to draw what captions tell."""

    name = "denoiser"

    def __init__(
        self,
        latents: Float[Tensor, "N z h w"],
        captions: Captions,
        text: TextEncoder,
        words: Words,
        show: Callable[[UNet, Path], None] = lambda unet, folder: None,
    ) -> None:
        """Train on `latents` of unit deviation; `show` draws a contact sheet."""
        self.latents, self.captions, self.words, self.show = latents, captions, words, show
        self.text = text.eval().requires_grad_(False)
        self.network = UNet(CONFIG)
        self._heard: dict[str, Tensor] = {}

    def loss(self, count: int, draw: torch.Generator, spent: float) -> Tensor:
        """Tell the velocity of `count` noisy latents."""
        chosen = self.captions.choose(count, draw)
        told = self.captions.pick(chosen, draw)
        untold = torch.rand(count, generator=draw) < UNTOLD
        texts = ["" if empty else text for text, empty in zip(told, untold.tolist(), strict=True)]
        latents = self.latents[chosen].float()
        return velocity_error(self.network, latents, self._context(texts), draw)

    def report(self, folder: Path) -> dict[str, float]:
        """Measure on held-out latents with always the same noise, and draw a sheet."""
        draw = torch.Generator().manual_seed(MEASURE_SEED)
        last = range(len(self.latents) - MEASURED, len(self.latents))
        texts = [self.captions.first(index) for index in last]
        with torch.autocast("cpu", torch.bfloat16):
            latents = self.latents[-MEASURED:].float()
            error = velocity_error(self.network, latents, self._context(texts), draw)
        self.show(self.network, folder)
        return {"held_out_loss": float(error)}

    def _context(self, texts: list[str]) -> Float[Tensor, "B L D"]:
        """Encode `texts`, remembering many: the text tower does not change any more."""
        known = {text: self._heard[text] for text in texts if text in self._heard}
        missing = [text for text in dict.fromkeys(texts) if text not in known]
        if missing:
            with torch.no_grad():
                fresh = self.text(self.words.ids(missing)).bfloat16()
            new = dict(zip(missing, fresh.unbind(), strict=True))
            known |= new
            if len(self._heard) < REMEMBERED:
                self._heard |= new
        return torch.stack([known[text] for text in texts]).float()
