r"""T5's encoder: a prompt read in both directions by a large language model.

CLIP learnt from captions; T5 learnt to fill the gaps in all kinds of text, and understands
sentences better.  Stable Diffusion 3 and Flux take the vectors of all its tokens:

    x = token(ids)
    x = x + attention(norm(x)),   scores q k^T + bias(n - m)      no 1 / sqrt(d) here
    x = x + W_o (gelu(W_0 y) * W_1 y),   y = norm(x)              a gate beside each thought
    out = norm(x),                norm(x) = w x / sqrt(mean(x^2)) "RMS": no mean is taken off

Positions enter only through the bias, one number per head for each distance n - m from query
to key.  Near distances have one each; farther ones share buckets that widen geometrically; all
beyond 128 share the last.  The first layer's bias table serves every layer.

Symbols: B batch, L tokens, D width, h heads.

Source: Raffel et al. 2019 (arXiv:1910.10683), section 2.1; Shazeer 2020 (arXiv:2002.05202) for
the gate, which came with version 1.1 of the model.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from safelight.diffusion.attention import attend

EPSILON = 1e-6
FARTHEST = 128  # tokens; all greater distances look the same


@dataclass(frozen=True, slots=True)
class T5Config:
    """The sizes of an encoder; the defaults are T5 v1.1 XXL's."""

    vocabulary: int = 32128
    width: int = 4096
    heads: int = 64
    head_width: int = 64
    hidden: int = 10240
    layers: int = 24
    buckets: int = 32


def buckets(length: int, count: int) -> Int[Tensor, "L L"]:
    """Return the bucket of the distance from each query (row) to each key (column).

    One half of the buckets is for keys behind the query (and itself), the other for those
    ahead; in each, the first half holds single distances.
    """
    half, single = count // 2, count // 4
    place = torch.arange(length)
    distance = place[None, :] - place[:, None]
    far = distance.abs().clamp(min=1).float()
    widening = (far / single).log() / math.log(FARTHEST / single) * (half - single)
    shared = (single + widening.long()).clamp(max=half - 1)
    bucket = torch.where(distance.abs() < single, distance.abs(), shared)
    return bucket + half * (distance > 0)


class RelativeAttention(nn.Module):
    """Attention that knows distances by a bias, without biases on its projections."""

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.heads = config.heads
        inner = config.heads * config.head_width
        self.query = nn.Linear(config.width, inner, bias=False)
        self.key = nn.Linear(config.width, inner, bias=False)
        self.value = nn.Linear(config.width, inner, bias=False)
        self.out = nn.Linear(inner, config.width, bias=False)

    def forward(
        self, x: Float[Tensor, "B L D"], bias: Float[Tensor, "1 h L L"]
    ) -> Float[Tensor, "B L D"]:
        """Let every token listen to all."""
        query, key, value = self.query(x), self.key(x), self.value(x)
        return self.out(attend(query, key, value, self.heads, bias=bias, scale=1.0))


class GatedFeedForward(nn.Module):
    """Think, and let a second projection decide how much of each thought passes."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.think = nn.Linear(width, hidden, bias=False)
        self.gate = nn.Linear(width, hidden, bias=False)
        self.out = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Float[Tensor, "B L D"]) -> Float[Tensor, "B L D"]:
        """Each token alone."""
        return self.out(F.gelu(self.think(x), approximate="tanh") * self.gate(x))


class T5Layer(nn.Module):
    """Listen, then think."""

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.norm1 = nn.RMSNorm(config.width, eps=EPSILON)
        self.attention = RelativeAttention(config)
        self.norm2 = nn.RMSNorm(config.width, eps=EPSILON)
        self.feed_forward = GatedFeedForward(config.width, config.hidden)

    def forward(
        self, x: Float[Tensor, "B L D"], bias: Float[Tensor, "1 h L L"]
    ) -> Float[Tensor, "B L D"]:
        """Refine every token."""
        x = x + self.attention(self.norm1(x), bias)
        return x + self.feed_forward(self.norm2(x))


class T5Encoder(nn.Module):
    """Token ids -> one vector per token."""

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.config = config
        self.token = nn.Embedding(config.vocabulary, config.width)
        self.bias = nn.Embedding(config.buckets, config.heads)
        self.layers = nn.ModuleList(T5Layer(config) for _ in range(config.layers))
        self.norm_out = nn.RMSNorm(config.width, eps=EPSILON)

    def forward(self, ids: Int[Tensor, "B L"]) -> Float[Tensor, "B L D"]:
        """Encode token ids; padding is read like any other token, as the denoisers expect."""
        table = buckets(ids.shape[1], self.config.buckets).to(ids.device)
        bias = self.bias(table).permute(2, 0, 1)[None]  # 1 h L L
        x = self.token(ids)
        for layer in self.layers:
            x = layer(x, bias)
        return self.norm_out(x)
