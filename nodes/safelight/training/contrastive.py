r"""Training the text tower: captions and pictures that belong together, pointing one way.

A text tower and a small image tower give one unit vector each to n captions
and to their n pictures.  The towers learn to find the pairs:

    s_ij = exp(tau) <text_i, image_j>
    loss = ( crossentropy(rows of s) + crossentropy(columns of s) ) / 2

with the pairs on the diagonal and tau learnt.  The image tower looks at
latents and is thrown away at the end; the text tower, frozen, is what the
denoiser listens to.

Source: Radford et al. 2021 (arXiv:2103.00020), figure 3.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from safelight.diffusion.clip import TextConfig, TextEncoder
from safelight.training.loop import Pace
from safelight.training.pictures import Captions
from safelight.training.place import place_of
from safelight.training.tokenizer import Words

WIDTH, LAYERS, HEADS = 192, 4, 6
SHARED_WIDTH = 192  # of the space where both towers meet
IMAGE_WIDTHS = (64, 128, 192)
NOISE = 0.4  # most noise on a latent: outlines, not pixels, are what a caption tells
MEASURED = 256  # held-out captions of different meaning among which the right one is sought
HOTTEST = math.log(100.0)  # the limit of tau in the source

PACE = Pace(batch=192, muon=0.0, adamw=1.5e-3, decay=0.01, flat=0.3, average=0.99)


class ImageTower(nn.Module):
    """Latent (scaled to unit deviation) -> one vector: a few convolutions."""

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        first, second, third = IMAGE_WIDTHS
        self.layers = nn.Sequential(
            *_convolution(channels, first, 1),
            *_convolution(first, first, 1),
            *_convolution(first, second, 2),
            *_convolution(second, second, 1),
            *_convolution(second, third, 2),
            *_convolution(third, third, 1),
            nn.Flatten(),
            nn.Linear(third * (side // 4) ** 2, 256),
            nn.SiLU(),
            nn.Linear(256, SHARED_WIDTH),
        )

    def forward(self, latent: Float[Tensor, "B z h w"]) -> Float[Tensor, "B E"]:
        """Look at the whole latent."""
        return self.layers(latent)


class Towers(nn.Module):
    """Both towers and the temperature between them."""

    def __init__(self, text: TextEncoder, image: ImageTower) -> None:
        super().__init__()
        self.text, self.image = text, image
        self.project = nn.Linear(text.config.width, SHARED_WIDTH, bias=False)
        self.temperature = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def forward(
        self, ids: Int[Tensor, "B L"], ends: Int[Tensor, " B"], latent: Float[Tensor, "B z h w"]
    ) -> tuple[Float[Tensor, "B E"], Float[Tensor, "B E"]]:
        """Give unit vectors for captions (read where they end) and for latents."""
        words = self.text(ids)  # B L D
        told = self.project(words[torch.arange(len(ids)), ends])  # B E
        seen = self.image(latent)  # B E
        return F.normalize(told.float(), dim=-1), F.normalize(seen.float(), dim=-1)


class ContrastiveStage:
    """The text tower learns which picture a caption tells of."""

    name = "contrastive"

    def __init__(
        self,
        latents: Float[Tensor, "N z h w"],
        captions: Captions,
        words: Words,
        judged: Sequence[int] = (),
    ) -> None:
        """Train on `latents` of unit deviation; `judged` are held-out, all of other meaning."""
        self.judged = list(judged)
        self.latents, self.captions, self.words = latents, captions, words
        channels, side = latents.shape[1], latents.shape[-1]
        config = TextConfig(words.size, WIDTH, LAYERS, HEADS, words.length)
        self.network = Towers(TextEncoder(config), ImageTower(channels, side))

    def loss(self, count: int, draw: torch.Generator, spent: float) -> Tensor:
        """Find the pairs among `count` captions and pictures."""
        chosen = self.captions.choose(count, draw)
        latents = self.latents[chosen].float()
        strength = NOISE * torch.rand(count, 1, 1, 1, generator=draw)
        latents = latents + strength * torch.randn(latents.shape, generator=draw)
        told, seen = self._vectors(self.captions.pick(chosen, draw), latents)
        heat = self.network.temperature.clamp(max=HOTTEST).exp()
        scores = heat * told @ seen.T  # count x count
        pairs = torch.arange(count, device=scores.device)
        return (F.cross_entropy(scores, pairs) + F.cross_entropy(scores.T, pairs)) / 2

    def report(self, folder: Path) -> dict[str, float]:
        """Seek each held-out caption's picture among all of them."""
        texts = [self.captions.first(index) for index in self.judged]
        told, seen = self._vectors(texts, self.latents[self.judged].float())
        found = (told @ seen.T).argmax(dim=1)
        right = found == torch.arange(len(found), device=found.device)
        return {"recall_at_1": float(right.float().mean())}

    def _vectors(
        self, texts: Sequence[str], latents: Float[Tensor, "B z h w"]
    ) -> tuple[Tensor, Tensor]:
        ids = self.words.ids(texts)
        ends = self.words.ends(ids)
        # Words hear only those before them: what follows the last end changes nothing.
        place = place_of(self.network)
        ids = ids[:, : int(ends.max()) + 1].to(place)
        return self.network(ids, ends.to(place), latents.to(place))


def _convolution(channels_in: int, channels_out: int, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(channels_in, channels_out, 3, stride, 1),
        nn.GroupNorm(8, channels_out),
        nn.SiLU(),
    ]
