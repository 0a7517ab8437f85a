r"""The diffusion transformer: a picture as a sentence of patches.

A U-Net looks at neighbours and shrinks the picture to see far.  A transformer sees
everything at once: cut the latent into squares of p x p pixels, write each as one vector
(a token) and let all tokens listen to each other, again and again:

    x = patches(z) + position                    N = (H / p) (W / p) tokens
    c = time(t) + label(y)                       all that the picture is told, one vector
    for each block:
        a, b, g, a', b', g' = W silu(c)          two shifts, two scales, two gates
        x = x + g  attention((1 + b)  norm(x) + a)
        x = x + g' mlp((1 + b') norm(x) + a')
    out = W ((1 + b) norm(x) + a)                p x p pixels from each token

The condition reaches a block only through its shifts, scales and gates ("adaLN").  They
are born zero ("adaLN-Zero"), so a fresh block passes its input on unchanged.

The published models draw ImageNet's 1000 classes; one label more means "any of them" and
serves as the negative in guidance.  They guess the noise and its variance; samplers here
need the first half only.

Symbols: B batch, C channels, H x W latent pixels, N tokens, D width, p patch side.

Source: Peebles & Xie 2022 (arXiv:2212.09748), sections 3.2 and 4; the patches are
Dosovitskiy et al. 2020 (arXiv:2010.11929), section 3.1.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from safelight.diffusion.attention import attend
from safelight.diffusion.embedding import LONGEST_PERIOD, TimeEmbedding

EPSILON = 1e-6  # of every normalisation in the transformers
CLOCK_HANDS = 256  # sinusoids of the time embedding


@dataclass(frozen=True, slots=True)
class DiTConfig:
    """The sizes of a class-conditional transformer; the defaults are DiT-XL/2's at 256 pixels."""

    channels: int = 4
    out_channels: int = 8  # the noise, and what the training made of its variance
    patch: int = 2
    side: int = 16  # patches along one side of the pictures it was trained on
    width: int = 1152
    depth: int = 28
    heads: int = 16
    labels: int = 1001  # the classes, and "any"


class Modulation(NamedTuple):
    """How one branch of a block is steered; each has the shape (B, 1, D)."""

    shift: Tensor
    scale: Tensor
    gate: Tensor


def modulate(
    x: Float[Tensor, "B N D"], shift: Float[Tensor, "B 1 D"], scale: Float[Tensor, "B 1 D"]
) -> Float[Tensor, "B N D"]:
    """Scale and shift all tokens of a picture alike; a scale of 0 leaves them as they are."""
    return (1 + scale) * x + shift


def plain_norm(width: int) -> nn.LayerNorm:
    """Return a norm without weights of its own: the condition provides shift and scale."""
    return nn.LayerNorm(width, eps=EPSILON, elementwise_affine=False)


def feed_forward(width: int, hidden: int | None = None) -> nn.Sequential:
    """Return the two-layer network in which each token thinks alone."""
    hidden = hidden or 4 * width
    return nn.Sequential(
        nn.Linear(width, hidden), nn.GELU(approximate="tanh"), nn.Linear(hidden, width)
    )


class Steering(nn.Module):
    """Condition -> the modulation of each branch, all from one projection."""

    def __init__(self, width: int, branches: int) -> None:
        super().__init__()
        self.branches = branches
        self.project = nn.Linear(width, 3 * branches * width)
        nn.init.zeros_(self.project.weight)
        nn.init.zeros_(self.project.bias)

    def forward(self, condition: Float[Tensor, "B D"]) -> tuple[Modulation, ...]:
        """Project and cut: shift, scale and gate of the first branch, then of the next."""
        parts = self.project(F.silu(condition))[:, None].chunk(3 * self.branches, dim=-1)
        return tuple(Modulation(*parts[i : i + 3]) for i in range(0, len(parts), 3))


class SelfAttention(nn.Module):
    """Attention whose query, key and value come from one projection."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.project = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "B N D"]) -> Float[Tensor, "B N D"]:
        """Let every token listen to all."""
        query, key, value = self.project(x).chunk(3, dim=-1)
        return self.out(attend(query, key, value, self.heads))


class DiTBlock(nn.Module):
    """Listen, then think; the condition steers both."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        self.steering = Steering(config.width, branches=2)
        self.norm1 = plain_norm(config.width)
        self.attention = SelfAttention(config.width, config.heads)
        self.norm2 = plain_norm(config.width)
        self.feed_forward = feed_forward(config.width)

    def forward(
        self, x: Float[Tensor, "B N D"], condition: Float[Tensor, "B D"]
    ) -> Float[Tensor, "B N D"]:
        """Refine every token."""
        listen, think = self.steering(condition)
        x = x + listen.gate * self.attention(modulate(self.norm1(x), listen.shift, listen.scale))
        return x + think.gate * self.feed_forward(modulate(self.norm2(x), think.shift, think.scale))


class FinalLayer(nn.Module):
    """Tokens -> the numbers of their patches."""

    def __init__(self, width: int, numbers: int) -> None:
        super().__init__()
        self.norm = plain_norm(width)
        self.steer = nn.Linear(width, 2 * width)
        self.project = nn.Linear(width, numbers)
        for layer in (self.steer, self.project):  # a fresh network guesses 0
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(
        self, x: Float[Tensor, "B N D"], condition: Float[Tensor, "B D"]
    ) -> Float[Tensor, "B N numbers"]:
        """Modulate once more, and project."""
        shift, scale = self.steer(F.silu(condition))[:, None].chunk(2, dim=-1)
        return self.project(modulate(self.norm(x), shift, scale))


class Patches(nn.Module):
    """Latent -> tokens: one vector for each square, row by row."""

    def __init__(self, channels: int, patch: int, width: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(channels, width, patch, stride=patch)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B N D"]:
        """Cut and project; a convolution whose stride is its size does both."""
        return self.project(x).flatten(2).transpose(1, 2)


def whole_patches(x: Float[Tensor, "B C H W"], patch: int) -> Float[Tensor, "B C H_up W_up"]:
    """Continue a picture periodically to the right and below until whole patches cover it."""
    height, width = x.shape[-2:]
    return F.pad(x, (0, -width % patch, 0, -height % patch), mode="circular")


def picture(
    tokens: Float[Tensor, "B N numbers"], rows: int, patch: int
) -> Float[Tensor, "B C H W"]:
    """Lay tokens out as a picture of `rows` rows; each holds p x p pixels of C numbers."""
    columns = tokens.shape[1] // rows
    x = tokens.reshape(-1, rows, columns, patch, patch, tokens.shape[2] // patch**2)
    return x.permute(0, 5, 1, 3, 2, 4).flatten(4).flatten(2, 3)


def positions(side: int, width: int) -> Float[Tensor, "1 N D"]:
    """Return clock hands for the place of each patch: half for its column, half for its row.

    Sines come before cosines here; files rely on it.
    """
    quarter = width // 4
    speeds = LONGEST_PERIOD ** -(torch.arange(quarter, dtype=torch.float64) / quarter)
    angles = torch.arange(side, dtype=torch.float64)[:, None] * speeds  # side D/4
    hands = torch.cat([angles.sin(), angles.cos()], dim=1)  # side D/2
    column, row = hands[None].expand(side, -1, -1), hands[:, None].expand(-1, side, -1)
    return torch.cat([column, row], dim=-1).flatten(0, 1)[None].float()


class DiT(nn.Module):
    """A latent, a time and a label -> the noise in the latent (and a guess of its variance)."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        self.config = config
        width, patch = config.width, config.patch
        self.patches = Patches(config.channels, patch, width)
        self.register_buffer("pos_embed", positions(config.side, width))  # named as in files
        self.time = TimeEmbedding(CLOCK_HANDS, width)
        self.label = nn.Embedding(config.labels, width)
        self.blocks = nn.ModuleList(DiTBlock(config) for _ in range(config.depth))
        self.final = FinalLayer(width, patch * patch * config.out_channels)

    def forward(
        self,
        x: Float[Tensor, "B C H W"],
        time: Float[Tensor, " B"],
        labels: Int[Tensor, " B"],
    ) -> Float[Tensor, "B C_out H W"]:
        """Guess the noise at times 0..999 in pictures of the size it was trained on.

        Raises:
            ValueError: the latent has another size.
        """
        side = self.config.side * self.config.patch
        if x.shape[-2:] != (side, side):
            raise ValueError(
                f"this transformer draws latents of {side}x{side}, not {x.shape[-1]}x{x.shape[-2]}"
            )
        tokens = self.patches(x) + self.get_buffer("pos_embed")  # B N D
        condition = self.time(time) + self.label(labels)  # B D
        for block in self.blocks:
            tokens = block(tokens, condition)
        return picture(self.final(tokens, condition), self.config.side, self.config.patch)
