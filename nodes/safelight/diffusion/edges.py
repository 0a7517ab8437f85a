r"""Edges: where a picture changes abruptly, and how well two pictures agree on that.

Canny's detector asks for edges that are found, well placed, and one pixel thin:

    g = blur(grey)                               so that noise makes no edges
    (g_x, g_y) = Sobel(g),  m = |(g_x, g_y)|     how steep, and in which direction
    thin       keep m where no neighbour along the direction is steeper
    thick      m > high is an edge; low < m <= high is one if it touches an edge

The last rule is applied until nothing changes, so weak stretches of a strong line survive
and weak specks do not.

Two edge maps agree as far as each finds the other within a few pixels, r:

    precision = share of the drawn edges that lie within r of a given one
    recall    = share of the given edges that lie within r of a drawn one
    F1        = 2 precision recall / (precision + recall)

Symbols: B batch, H x W pixels; m magnitude.

Source: Canny 1986, "A computational approach to edge detection", IEEE PAMI 8(6); weights of
grey: ITU-R BT.601; agreement with a tolerance: Martin, Fowlkes & Malik 2004, IEEE PAMI 26(5).
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

GREY = (0.299, 0.587, 0.114)
SOBEL = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))
# Steps (down, right) in the directions of 0, 45, 90 ... degrees, counted from right to down.
AROUND = ((0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1))
BLUR, REACH = 1.0, 2  # deviation of the blur and how far it looks, in pixels
STILL = 1e-6  # keeps the root's slope finite where nothing changes
TOLERANCE_PX = 2  # within which two edges count as one, along either axis


def canny(pictures: Float[Tensor, "B 3 H W"], low: float, high: float) -> Float[Tensor, "B 1 H W"]:
    """Draw the edges of pictures in 0..1: 1 there, 0 elsewhere."""
    across, down = gradient(blurred(grey(pictures), BLUR, REACH))
    magnitude = (across.square() + down.square() + STILL).sqrt()
    steep = magnitude * _steepest(magnitude, torch.atan2(down, across))
    return _grown(steep > high, steep > low).float()


def sobel(pictures: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 1 H W"]:
    """Draw how steeply pictures in 0..1 change, the steepest pixel of each being 1."""
    across, down = gradient(blurred(grey(pictures), BLUR, REACH))
    magnitude = (across.square() + down.square()).sqrt()
    return magnitude / magnitude.amax(dim=(1, 2, 3), keepdim=True).clamp(min=1e-3)


def grey(pictures: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 1 H W"]:
    """Return the brightness of colours."""
    weights = torch.tensor(GREY, dtype=pictures.dtype, device=pictures.device)
    return torch.einsum("bchw,c->bhw", pictures, weights)[:, None]


def blurred(x: Float[Tensor, "B C H W"], deviation: float, reach: int) -> Float[Tensor, "B C H W"]:
    """Blur with a Gaussian that looks `reach` pixels to each side; borders repeat."""
    steps = torch.arange(-reach, reach + 1, dtype=x.dtype, device=x.device)
    bell = torch.exp(-0.5 * (steps / deviation) ** 2)
    bell = (bell / bell.sum()).expand(x.shape[1], 1, 1, -1)
    x = F.conv2d(F.pad(x, (reach, reach, 0, 0), "replicate"), bell, groups=x.shape[1])
    return F.conv2d(F.pad(x, (0, 0, reach, reach), "replicate"), bell.mT, groups=x.shape[1])


def gradient(
    x: Float[Tensor, "B 1 H W"],
) -> tuple[Float[Tensor, "B 1 H W"], Float[Tensor, "B 1 H W"]]:
    """Return the slope to the right and the slope down, after Sobel."""
    across = torch.tensor(SOBEL, dtype=x.dtype, device=x.device)[None, None]
    around = F.pad(x, (1, 1, 1, 1), "replicate")
    return F.conv2d(around, across), F.conv2d(around, across.mT)


def edge_agreement(
    drawn: Float[Tensor, "B 1 H W"], given: Float[Tensor, "B 1 H W"], within: int = TOLERANCE_PX
) -> Float[Tensor, " B"]:
    """Return F1 of edge maps in 0..1, for each picture; two empty maps agree."""
    ours, theirs = drawn > 0.5, given > 0.5
    precision = _share(ours, _near(theirs, within))
    recall = _share(theirs, _near(ours, within))
    return 2 * precision * recall / (precision + recall).clamp(min=1e-9)


def _steepest(magnitude: Tensor, angle: Tensor) -> Bool[Tensor, "B 1 H W"]:
    """Tell where no neighbour along the slope is as steep."""
    height, width = magnitude.shape[2:]
    around = F.pad(magnitude, (1, 1, 1, 1))
    drops = torch.cat(
        [
            magnitude - around[..., 1 + down : 1 + down + height, 1 + right : 1 + right + width]
            for down, right in AROUND
        ],
        dim=1,
    )  # B 8 H W
    way = torch.round(angle * 4 / math.pi).long() % 8
    ahead, behind = drops.gather(1, way), drops.gather(1, (way + 4) % 8)
    return (ahead >= 0) & (behind > 0)  # of two that are equally steep, one


def _grown(
    strong: Bool[Tensor, "B 1 H W"], weak: Bool[Tensor, "B 1 H W"]
) -> Bool[Tensor, "B 1 H W"]:
    """Add what is weak and touches something strong, until nothing does."""
    while True:
        more = weak & _near(strong, 1) | strong
        if more.equal(strong):
            return strong
        strong = more


def _near(edges: Bool[Tensor, "B 1 H W"], within: int) -> Bool[Tensor, "B 1 H W"]:
    """Tell where an edge is at most so many pixels away along either axis."""
    side = 2 * within + 1
    return F.max_pool2d(edges.float(), side, stride=1, padding=within) > 0.5


def _share(those: Bool[Tensor, "B 1 H W"], found: Bool[Tensor, "B 1 H W"]) -> Float[Tensor, " B"]:
    """Return which share of those is found; all of none."""
    count = those.float().sum(dim=(1, 2, 3))
    met = (those & found).float().sum(dim=(1, 2, 3))
    return torch.where(count > 0, met / count.clamp(min=1), 1.0)
