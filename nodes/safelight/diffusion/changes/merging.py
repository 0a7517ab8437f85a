r"""Token merging: pixels that are alike ask once.

    one pixel of every 2 x 2 cell receives; the others may give
    each giver finds the receiver most like it (cosine)
    the share r of all pixels with the closest match gives itself away: x_to = mean
    out = attention(merged, all);  givers copy the answer of their receiver

Attention computes one row for each query, so with r = 1/2 it does half of the work.  Keys and
values stay whole: every pixel can still be heard.

Symbols: N pixels, C channels, r share of the pixels that are merged (at most 3/4).

Source: Bolya & Hoffman 2023 (arXiv:2303.17604), section 3; that only queries are merged is a
custom of other programs.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from safelight.diffusion.change import Change, Moment
from safelight.diffusion.changes.tiles import halved, transformer_layers
from safelight.diffusion.variant import variant

CELL = 2  # pixels along a cell


class Merged(nn.Module):
    """Self-attention in which pixels that are alike ask once."""

    def __init__(
        self, attention: nn.Module, pixels: int, receiving: Int[Tensor, " D"], count: int
    ) -> None:
        super().__init__()
        self.attention = attention
        self.pixels = pixels
        self.receiving = receiving
        self.count = count  # pixels that give themselves away

    def forward(self, x: Float[Tensor, "B N C"]) -> Float[Tensor, "B N C"]:
        """Merge the queries, attend, copy the answers; a tile (`tiles`) is not merged."""
        pixels = x.shape[1]
        if pixels != self.pixels:
            heard: Tensor = self.attention(x)
            return heard
        receiving = self.receiving.to(x.device)
        giving = torch.ones(pixels, dtype=torch.bool, device=x.device)
        giving[receiving] = False
        giving = giving.nonzero()[:, 0]
        unit = F.normalize(x, dim=-1)
        best, to = (unit[:, giving] @ unit[:, receiving].transpose(1, 2)).max(dim=-1)  # B S
        order = best.argsort(dim=-1, descending=True)
        given, kept = order[:, : self.count], order[:, self.count :]
        source, to = _rows(x[:, giving], given), to.gather(1, given)
        target = x[:, receiving].scatter_reduce(
            1, to[..., None].expand_as(source), source, "mean", include_self=True
        )
        asked = torch.cat([_rows(x[:, giving], kept), target], dim=1)
        answers: Tensor = self.attention(asked, x)
        own, shared = answers[:, : kept.shape[1]], answers[:, kept.shape[1] :]
        out = torch.empty_like(x)
        out[:, receiving] = shared
        batch = torch.arange(len(x), device=x.device)[:, None]
        out[batch, giving[kept]] = own
        out[batch, giving[given]] = _rows(shared, to)
        return out


def merging(ratio: float) -> Change:
    """Return the change, for self-attention at the latent's own resolution; ratio 0 is none.

    At use it raises `CannotChange` for anything but a U-Net with attention.
    """

    def merge(network: nn.Module, moment: Moment) -> nn.Module:
        drawn = torch.Generator().manual_seed(moment.seed)
        found: dict[str, nn.Module] = {}
        for path, layer, halvings in transformer_layers(network):
            height, width = halved(moment, halvings)
            if halvings or ratio == 0 or min(height, width) < CELL:
                continue
            receiving = _receiving(height, width, drawn)
            count = min(height * width - len(receiving), int(height * width * ratio))
            attention = layer.get_submodule("to_pixels")
            found[f"{path}.to_pixels"] = Merged(attention, height * width, receiving, count)
        return variant(network, found)

    return merge


def _receiving(height: int, width: int, drawn: torch.Generator) -> Int[Tensor, " D"]:
    """Draw one pixel of every whole cell."""
    rows, columns = height // CELL, width // CELL
    which = torch.randint(CELL**2, (rows, columns), generator=drawn)
    row = torch.arange(rows)[:, None] * CELL + which // CELL
    column = torch.arange(columns) * CELL + which % CELL
    return (row * width + column).flatten()


def _rows(x: Float[Tensor, "B N C"], index: Int[Tensor, "B K"]) -> Float[Tensor, "B K C"]:
    """Pick rows of each picture."""
    return x.gather(1, index[..., None].expand(-1, -1, x.shape[-1]))
