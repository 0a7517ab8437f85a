r"""A union ControlNet: one network for many kinds of hints.

It is a ControlNet (`controlnet`) that is told which kind of hint it is shown.  The kind is
told twice: as a row e of zeros and ones, embedded and added to the time, and by a vector of
its own, from which a small transformer makes a tint:

    t' = t + mlp(clock hands of e)
    u = mean(hint features) + task_k
    u' = transformer(u)
    g_0 = stem(z) + hint features + W u'                        one number a channel

The transformer has an attention, but its authors' code lets it run along the batch, where
other pictures are.  A picture that is asked about alone hears only itself, which leaves of
the attention softmax(q k) v = v; so it is computed here for every picture, and what is
drawn does not depend on what is drawn beside it.

Symbols: B batch, C channels, E kinds, D width of the prompt, L tokens, Y width of XL's vector.

Source: the ControlNet++ of xinsir (2024), github.com/xinsir6/ControlNetPlus, README; sizes and
order after the documentation of the diffusers library, `ControlNetUnionModel`.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from safelight.diffusion.control import Question, Residuals
from safelight.diffusion.controlnet import ControlNet, ControlNetConfig
from safelight.diffusion.embedding import VectorEmbedding, sinusoids

HANDS = 256  # clock hands for each zero or one


@dataclass(frozen=True, slots=True)
class UnionConfig:
    """The sizes of a union ControlNet."""

    control: ControlNetConfig
    kinds: int
    layers: int = 1


class QuickGELU(nn.Module):
    """x sigmoid(1.702 x): a cheap GELU."""

    def forward(self, x: Float[Tensor, "*rest"]) -> Float[Tensor, "*rest"]:
        """Apply it."""
        return x * torch.sigmoid(1.702 * x)


class MixingLayer(nn.Module):
    """One layer of the small transformer, of which one token is all there is."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.project = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.think = nn.Sequential(
            nn.Linear(width, 4 * width), QuickGELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Float[Tensor, "B C"]) -> Float[Tensor, "B C"]:
        """Listen to itself, and think."""
        _, _, value = self.project(self.norm1(x)).chunk(3, dim=-1)
        x = x + self.out(value)
        return x + self.think(self.norm2(x))


class UnionControlNet(ControlNet):
    """A hint, its kind, and all that the U-Net is asked -> residuals for the U-Net."""

    def __init__(self, config: UnionConfig) -> None:
        super().__init__(config.control)
        self.union = config
        width = self.config.width
        self.task_embedding = nn.Parameter(torch.zeros(config.kinds, width))  # named as in files
        self.mixing = nn.ModuleList(MixingLayer(width) for _ in range(config.layers))
        self.tint = nn.Linear(width, width)
        self.told = VectorEmbedding(HANDS * config.kinds, self.config.time_width)

    def answer(self, question: Question) -> Residuals:
        """Return the residuals; without a kind the network is told of none.

        Raises:
            ValueError: there is no such kind.
        """
        wrong = [kind for kind in question.kinds if not 0 <= kind < self.union.kinds]
        if wrong:
            known = self.union.kinds
            raise ValueError(f"this union network has {known} kinds, from 0; not {wrong[0]}")
        q, kinds = question, list(question.kinds)
        time = self.clock(q.timestep, q.vector) + self._told(q, kinds)
        seen, hint = self.stem(q.z), self.hint(q.hint)  # B C h w
        looked = hint.mean(dim=(2, 3)) + self.task_embedding[kinds].sum(dim=0)  # B C
        for layer in self.mixing:
            looked = layer(looked)
        tint = self.tint(looked)[:, :, None, None]
        return self.residuals(seen + hint + tint, time, q.tokens)

    def _told(self, question: Question, kinds: list[int]) -> Float[Tensor, "1 T"]:
        """Embed the row of zeros and ones."""
        row = torch.zeros(self.union.kinds, device=question.z.device)
        row[kinds] = 1
        return self.told(sinusoids(row, HANDS).flatten()[None].to(question.z.dtype))
