r"""The perceiver of IP-Adapter plus: a few questions about a picture, answered in prompt's width.

A plain adapter hears one vector of what CLIP saw; this one hears all vectors of the layer before
the last, one for each patch, where details still are.  N learnt vectors q ask, layer by layer:

    y = W_in seen                                        S vectors
    q = q + attend(norm q, [norm y ; norm q])            they also hear each other
    q = q + think(norm q)
    words = norm(W_out q)                                N vectors of the prompt's width

Symbols: B batch, S vectors that the vision tower gives, P their width, N vectors of the picture,
I width in between, D width of the prompt.

Source: Ye et al. 2023 (arXiv:2308.06721), its published "plus" models; Jaegle et al. 2021
(arXiv:2103.03206) and Alayrac et al. 2022 (arXiv:2204.14198), section 3.1.1.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from safelight.diffusion.attention import attend
from safelight.diffusion.weights import Shapes, Table

HEAD_WIDTH = 64  # of every published one


@dataclass(frozen=True, slots=True)
class PerceiverConfig:
    """The sizes of a perceiver."""

    seen_width: int  # P
    width: int  # D
    count: int  # N
    inner: int  # I
    hidden: int  # in the middle of `think`
    depth: int = 4
    heads: int = 12


class Ask(nn.Module):
    """Attention of the questions to what is seen and to each other."""

    def __init__(self, config: PerceiverConfig) -> None:
        super().__init__()
        inner, across = config.inner, config.heads * HEAD_WIDTH
        self.heads = config.heads
        self.norm_seen, self.norm_asked = nn.LayerNorm(inner), nn.LayerNorm(inner)
        self.query = nn.Linear(inner, across, bias=False)
        self.key_and_value = nn.Linear(inner, 2 * across, bias=False)
        self.out = nn.Linear(across, inner, bias=False)

    def forward(
        self, asked: Float[Tensor, "B N I"], seen: Float[Tensor, "B S I"]
    ) -> Float[Tensor, "B N I"]:
        """Return what is answered."""
        asked = self.norm_asked(asked)
        heard = torch.cat([self.norm_seen(seen), asked], dim=1)  # B S+N I
        key, value = self.key_and_value(heard).chunk(2, dim=-1)
        return self.out(attend(self.query(asked), key, value, self.heads))


class Think(nn.Module):
    """Each question alone: norm, widen, narrow."""

    def __init__(self, config: PerceiverConfig) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.inner)
        self.widen = nn.Linear(config.inner, config.hidden, bias=False)
        self.narrow = nn.Linear(config.hidden, config.inner, bias=False)

    def forward(self, asked: Float[Tensor, "B N I"]) -> Float[Tensor, "B N I"]:
        """Return what is added."""
        return self.narrow(F.gelu(self.widen(self.norm(asked))))


class Layer(nn.Module):
    """Ask, then think."""

    def __init__(self, config: PerceiverConfig) -> None:
        super().__init__()
        self.ask, self.think = Ask(config), Think(config)

    def forward(
        self, asked: Float[Tensor, "B N I"], seen: Float[Tensor, "B S I"]
    ) -> Float[Tensor, "B N I"]:
        """Refine the questions."""
        asked = asked + self.ask(asked, seen)
        return asked + self.think(asked)


class Perceiver(nn.Module):
    """What CLIP saw in the patches of a picture, as a few vectors of a prompt."""

    def __init__(self, config: PerceiverConfig) -> None:
        super().__init__()
        self.config = config
        self.latents = nn.Parameter(torch.randn(1, config.count, config.inner))
        self.project_in = nn.Linear(config.seen_width, config.inner)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.depth))
        self.project_out = nn.Linear(config.inner, config.width)
        self.norm_out = nn.LayerNorm(config.width)

    @property
    def count(self) -> int:
        """How many vectors stand for a picture."""
        return self.config.count

    @property
    def seen_width(self) -> int:
        """The width of the vectors that it understands."""
        return self.config.seen_width

    def forward(self, seen: Float[Tensor, "B S P"]) -> Float[Tensor, "B N D"]:
        """Say what was seen."""
        heard = self.project_in(seen)
        asked = self.latents.expand(len(seen), -1, -1).to(heard)
        for layer in self.layers:
            asked = layer(asked, heard)
        return self.norm_out(self.project_out(asked))


def sizes(shapes: Shapes) -> PerceiverConfig:
    """Read the sizes of a perceiver from a file's shapes, without the prefix.

    Raises:
        KeyError: a tensor that every perceiver has is not there.
    """
    _, count, inner = shapes["latents"]
    layers = {name.split(".")[1] for name in shapes if name.startswith("layers.")}
    return PerceiverConfig(
        seen_width=shapes["proj_in.weight"][1],
        width=shapes["proj_out.weight"][0],
        count=count,
        inner=inner,
        hidden=shapes["layers.0.1.1.weight"][0],
        depth=len(layers),
        heads=shapes["layers.0.0.to_q.weight"][0] // HEAD_WIDTH,
    )


def table(config: PerceiverConfig) -> Table:
    """Return the names of its authors' files."""
    layer = {
        "0.norm1": "ask.norm_seen",
        "0.norm2": "ask.norm_asked",
        "0.to_q": "ask.query",
        "0.to_kv": "ask.key_and_value",
        "0.to_out": "ask.out",
        "1.0": "think.norm",
        "1.1": "think.widen",
        "1.3": "think.narrow",
    }
    return {
        "": "",  # the learnt vectors
        "proj_in": "project_in",
        "proj_out": "project_out",
        "norm_out": "norm_out",
        **{
            f"layers.{i}.{theirs}": f"layers.{i}.{ours}"
            for i in range(config.depth)
            for theirs, ours in layer.items()
        },
    }
