r"""Training the transformer: from a fading latent, tell where it flows.

A latent z of unit deviation and noise n lie at the ends of a straight line,

    x = (1 - t) z + t n                      at time t, 0..1
    u = dx/dt = n - z,      loss = (u' - u)^2

and the network, which also hears the caption, tells u from x and t.  Times near the middle
are the hardest, for there the picture is neither there nor gone, so they come most often:
t = 1 / (1 + e^-s) with s normal.  The times of a batch are spread evenly over that
distribution, which makes the loss less noisy.

It learns on the latents of the U-Net (`denoiser.py`), listens to the same text tower, and
one caption in ten is left empty, as there.

Symbols: B batch, z h w a latent's axes, L tokens, D their width.

Source: Liu et al. 2022 (arXiv:2209.03003), section 2.1; Esser et al. 2024 (arXiv:2403.03206),
section 3.1, "logit-normal sampling".
"""

import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from safelight.diffusion.clip import TextEncoder
from safelight.diffusion.conditioning import Conditioning
from safelight.diffusion.denoiser import LatentModel
from safelight.diffusion.latent import SD1
from safelight.diffusion.mmdit import MMDiT, MMDiTConfig
from safelight.diffusion.schedule import FlowSchedule
from safelight.diffusion.sentences import SMALL_LENGTH, hear_beginning
from safelight.diffusion.vae import AutoencoderKL
from safelight.diffusion.walk import Walk, develop
from safelight.training.loop import Pace
from safelight.training.pictures import Captions
from safelight.training.place import place_of
from safelight.training.tokenizer import Words

CONFIG = MMDiTConfig(
    channels=4,
    patch=2,
    side=16,  # patches: pictures of at most 256 x 256 pixels
    width=160,
    depth=5,
    heads=2,
    context_width=192,
    pooled_width=192,
    normalised=True,
)
PACE = Pace(batch=64, muon=0.02, adamw=1.5e-3, decay=0.01, flat=0.5, average=0.995)
UNTOLD = 0.1  # share of captions left empty
MEASURED = 256  # held-out latents behind the figure
MEASURE_SEED = 7
REMEMBERED = 40_000  # encoded captions, 15 kB each
FLOW = FlowSchedule(1.0)
STEPS, GUIDANCE, SAMPLER, SCHEDULER = 20, 4.0, "dpmpp_2m", "simple"
LATENT_PX = 16


class MMDiTStage:
    """The transformer learns to draw what captions tell."""

    name = "mmdit"

    def __init__(
        self,
        latents: Float[Tensor, "N z h w"],
        captions: Captions,
        text: TextEncoder,
        words: Words,
        show: Callable[[MMDiT, Path], None] = lambda network, folder: None,
    ) -> None:
        """Train on `latents` of unit deviation; `show` draws a contact sheet."""
        self.latents, self.captions, self.show = latents, captions, show
        self.network = MMDiT(CONFIG)
        self.reader = Reader(text, words)

    def loss(self, count: int, draw: torch.Generator, spent: float) -> Tensor:
        """Tell the flow at `count` noisy latents."""
        chosen = self.captions.choose(count, draw)
        told = self.captions.pick(chosen, draw)
        untold = (torch.rand(count, generator=draw) < UNTOLD).tolist()
        texts = ["" if empty else text for text, empty in zip(told, untold, strict=True)]
        return flow_error(self.network, self.latents[chosen].float(), self.reader(texts), draw)

    def report(self, folder: Path) -> dict[str, float]:
        """Measure on held-out latents with always the same noise, and draw a sheet."""
        draw = torch.Generator().manual_seed(MEASURE_SEED)
        last = range(len(self.latents) - MEASURED, len(self.latents))
        tokens = self.reader([self.captions.first(index) for index in last])
        with torch.autocast(place_of(self.network).type, torch.bfloat16):
            error = flow_error(self.network, self.latents[-MEASURED:].float(), tokens, draw)
        self.show(self.network, folder)
        return {"held_out_loss": float(error)}


def flow_error(
    network: MMDiT,
    latents: Float[Tensor, "B z h w"],
    tokens: Float[Tensor, "B L D"],
    draw: torch.Generator,
) -> Float[Tensor, ""]:
    """How wrong a network tells the flow of noisy latents, each at a time of its own."""
    place = place_of(network)
    time = times(len(latents), draw)
    noise = torch.randn(latents.shape, generator=draw)
    noisy = torch.lerp(latents, noise, time[:, None, None, None])
    words = tokens.to(place)
    with quiet():
        told = network(noisy.to(place), FLOW.scale * time.to(place), words, words.mean(dim=1))
    return (told.float() - (noise - latents).to(place)).square().mean()


def times(count: int, draw: torch.Generator) -> Float[Tensor, " B"]:
    """Draw times, logit-normal, one from each of `count` equally likely stretches."""
    stretches = (torch.arange(count) + torch.rand(count, generator=draw)) / count
    return torch.special.ndtri(stretches.clamp(1e-4, 1 - 1e-4)).sigmoid()


@contextmanager
def quiet() -> Generator[None]:
    """Let autocast be slower at the norms of queries and keys than it might be, unremarked."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mismatch dtype between input and weight", UserWarning)
        yield


@torch.no_grad()
def draw_flow(
    network: MMDiT,
    reader: "Reader",
    autoencoder: AutoencoderKL,
    prompts: Sequence[str],
    seed: int,
) -> Float[Tensor, "B 3 H W"]:
    """Draw each prompt once, in -1..1, all from one `seed`."""
    place = place_of(network)
    model = LatentModel(network, FLOW, "flow", listen=hear_beginning)
    told, untold = Conditioning(reader(prompts)), Conditioning(reader([""]))
    latent = torch.zeros(len(prompts), CONFIG.channels, LATENT_PX, LATENT_PX, device=place)
    walk = Walk(seed, STEPS, GUIDANCE, SAMPLER, SCHEDULER)
    with quiet(), torch.autocast(place.type, torch.bfloat16):
        for step in develop(model, told, untold, latent, walk):
            latent = step.x
    own = place_of(autoencoder)
    return autoencoder.decode((latent.float() / SD1.scale).to(own)).cpu()


class Reader:
    """A frozen text tower that remembers many captions."""

    def __init__(self, text: TextEncoder, words: Words) -> None:
        self.text, self.words = text.eval().requires_grad_(False), words
        self._heard: dict[str, Tensor] = {}

    @torch.no_grad()
    def __call__(self, texts: Sequence[str]) -> Float[Tensor, "B L D"]:
        """Encode `texts`: as many of their first tokens as the network reads."""
        known = {text: self._heard[text] for text in texts if text in self._heard}
        missing = [text for text in dict.fromkeys(texts) if text not in known]
        if missing:
            # Words hear only those before them: what is cut off changes nothing.
            ids = self.words.ids(missing)[:, :SMALL_LENGTH]
            with torch.autocast("cpu", enabled=False):
                fresh = self.text(ids).bfloat16()
            new = dict(zip(missing, fresh.unbind(), strict=True))
            known |= new
            if len(self._heard) < REMEMBERED:
                self._heard |= new
        return torch.stack([known[text] for text in texts]).float()
