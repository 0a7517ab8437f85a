r"""Attention: every position asks all others what they know.

A sequence of N vectors x is projected to queries; a sequence of M vectors y (the same
one in self-attention, the prompt in cross-attention) to keys and values:

    Q = x W_q,   K = y W_k,   V = y W_v
    A = softmax(Q K^T / sqrt(d))        how much each query listens to each key
    out = (A V) W_o

The width C is cut into `heads` slices of d = C / heads numbers that attend apart and are
laid side by side again, so that one position can listen to several things at once.

Symbols: B batch, N queries, M keys, C width, D width of the listened-to sequence.

Source: Vaswani et al. 2017 (arXiv:1706.03762), section 3.2; the cross-attention of a
denoiser to its prompt is Rombach et al. 2022 (arXiv:2112.10752), section 3.3.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


def attend(
    query: Float[Tensor, "B N C"],
    key: Float[Tensor, "B M C"],
    value: Float[Tensor, "B M C"],
    heads: int,
    *,
    causal: bool = False,
    bias: Float[Tensor, "#B heads N M"] | None = None,
    scale: float | None = None,
) -> Float[Tensor, "B N C"]:
    """Mix `value` by how well each query matches each key; the one place that does so.

    With `causal`, position n listens to positions 0..n only (text towers are trained so).
    `bias` is added to the scores; `scale` multiplies them in place of 1 / sqrt(d).
    """
    q, k, v = (x.reshape(*x.shape[:2], heads, -1).transpose(1, 2) for x in (query, key, value))
    if query.requires_grad and query.device.type == "cpu":
        mixed = _spelt_out(q, k, v, causal, bias, scale)
    else:
        mixed = F.scaled_dot_product_attention(
            q, k, v, attn_mask=bias, is_causal=causal, scale=scale
        )  # B heads N d
    return mixed.transpose(1, 2).flatten(2)


class Listening(nn.Module):
    """Attention between vectors that were projected elsewhere: a part that has no weights.

    Streams with projections of their own meet in one; changes may put another in its place.
    """

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.heads = heads

    def forward(
        self,
        query: Float[Tensor, "B N C"],
        key: Float[Tensor, "B M C"],
        value: Float[Tensor, "B M C"],
    ) -> Float[Tensor, "B N C"]:
        """Let everyone listen to everyone."""
        return attend(query, key, value, self.heads)


def _spelt_out(
    q: Float[Tensor, "B heads N d"],
    k: Float[Tensor, "B heads M d"],
    v: Float[Tensor, "B heads M d"],
    causal: bool,
    bias: Float[Tensor, "#B heads N M"] | None,
    scale: float | None,
) -> Float[Tensor, "B heads N d"]:
    """The formula as it stands, for training on a CPU.

    The fused kernel keeps no N x M scores and must compute them again on the way back,
    which with narrow heads (d = 16) took half of a training step of a small U-Net.
    """
    scores = (q * (q.shape[-1] ** -0.5 if scale is None else scale)) @ k.transpose(-1, -2)
    if causal:
        later = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
        scores = scores.masked_fill(later, -torch.inf)
    if bias is not None:
        scores = scores + bias
    return scores.softmax(dim=-1).to(v.dtype) @ v


class Attention(nn.Module):
    """Attention with its four projections.

    `context_width` is the width D of the sequence that is listened to (default: C itself).
    The published networks differ in where they put biases: U-Nets have none on query, key
    and value (`bias=False`), CLIP has them everywhere.
    """

    def __init__(
        self, width: int, heads: int, context_width: int | None = None, *, bias: bool = False
    ) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width, bias=bias)
        self.key = nn.Linear(context_width or width, width, bias=bias)
        self.value = nn.Linear(context_width or width, width, bias=bias)
        self.out = nn.Linear(width, width)

    def forward(
        self,
        x: Float[Tensor, "B N C"],
        context: Float[Tensor, "B M D"] | None = None,
        *,
        causal: bool = False,
    ) -> Float[Tensor, "B N C"]:
        """Let `x` listen to `context`, or to itself when there is none."""
        heard = x if context is None else context
        mixed = attend(self.query(x), self.key(heard), self.value(heard), self.heads, causal=causal)
        return self.out(mixed)
