r"""Enlarging pictures with a network that has learnt what small pictures leave out.

RRDBNet (ESRGAN) looks at the small picture with many residual blocks, then doubles it:

    f = first(x);  f = f + trunk(block_n(.. block_1(f)))
    f = lrelu(up_k(twice(f)))                    once for each doubling
    y = last(lrelu(refine(f)))

A block is three dense ones, each of five convolutions that see all that came before:

    c_i = lrelu(conv_i([x, c_1 .. c_{i-1}])),   dense(x) = x + 0.2 conv_5([x, c_1 .. c_4])
    block(x) = x + 0.2 dense_3(dense_2(dense_1(x)))

The compact network (SRVGG) is plain convolutions with PReLU between, and adds what it found
to the picture enlarged by repetition:

    y = shuffle(conv_n(.. prelu(conv_1(x)))) + repeat(x)

`shuffle` spreads s^2 channels over s x s pixels; a network that enlarges little does the
reverse first, so as to see more of the picture at once.

Symbols: B batch, H x W pixels, s scale, lrelu with slope 0.2.

Source: Wang et al. 2018 (arXiv:1809.00219), section 3.1; Wang et al. 2021 (arXiv:2107.10833),
sections 3.4 and 4.1 and its published code's compact network.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from safelight.diffusion.memory import lies_in_file
from safelight.diffusion.tables import reach, side
from safelight.diffusion.tables.esrgan import compact_table, dialect
from safelight.diffusion.weights import (
    CheckpointError,
    Shapes,
    assemble,
    open_checkpoint,
)

SLOPE = 0.2
SHARE = 0.2  # of what a block found
CONVOLUTIONS = 5  # of a dense block
COLOURS = 3


@dataclass(frozen=True, slots=True)
class RRDBConfig:
    """The sizes of an RRDBNet."""

    width: int = 64
    growth: int = 32  # channels that each convolution of a dense block adds
    blocks: int = 23
    doublings: int = 2
    unshuffle: int = 1  # pixels along a side that become channels before

    @property
    def scale(self) -> int:
        """New pixels along one side of an old one."""
        return 2**self.doublings // self.unshuffle


class Dense(nn.Module):
    """Five convolutions, each of which sees what all before it made."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        last = CONVOLUTIONS - 1
        self.convs = nn.ModuleList(
            nn.Conv2d(width + i * growth, width if i == last else growth, 3, padding=1)
            for i in range(CONVOLUTIONS)
        )

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        """Look, and add a share of what was found."""
        seen = x
        *before, last = self.convs
        for conv in before:
            seen = torch.cat((seen, _bent(conv(seen))), dim=1)
        return x + SHARE * last(seen)


class Block(nn.Module):
    """Three dense blocks in a residual one."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.dense = nn.Sequential(*(Dense(width, growth) for _ in range(3)))

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        """Add a share of what the three make."""
        return x + SHARE * self.dense(x)


class RRDBNet(nn.Module):
    """ESRGAN's network; see the module docstring."""

    def __init__(self, config: RRDBConfig) -> None:
        super().__init__()
        self.config, width = config, config.width
        self.first = nn.Conv2d(COLOURS * config.unshuffle**2, width, 3, padding=1)
        self.blocks = nn.Sequential(*(Block(width, config.growth) for _ in range(config.blocks)))
        self.trunk = nn.Conv2d(width, width, 3, padding=1)
        self.up = nn.ModuleList(
            nn.Conv2d(width, width, 3, padding=1) for _ in range(config.doublings)
        )
        self.refine = nn.Conv2d(width, width, 3, padding=1)
        self.last = nn.Conv2d(width, COLOURS, 3, padding=1)

    @property
    def scale(self) -> int:
        """New pixels along one side of an old one."""
        return self.config.scale

    def forward(self, x: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 3 H2 W2"]:
        """Enlarge pictures in 0..1 (a little beyond at times: the caller clamps)."""
        height, width = x.shape[2:]
        unit = self.config.unshuffle
        x = F.pad(x, (0, -width % unit, 0, -height % unit), mode="replicate")
        f = self.first(F.pixel_unshuffle(x, unit))
        f = f + self.trunk(self.blocks(f))
        for conv in self.up:
            f = _bent(conv(F.interpolate(f, scale_factor=2.0, mode="nearest")))
        y: Tensor = self.last(_bent(self.refine(f)))
        return y[..., : height * self.scale, : width * self.scale]


@dataclass(frozen=True, slots=True)
class CompactConfig:
    """The sizes of a compact network."""

    width: int = 64
    convolutions: int = 18  # with the first and the last
    scale: int = 4


class CompactNet(nn.Module):
    """SRVGG: plain convolutions, fast enough for moving pictures."""

    def __init__(self, config: CompactConfig) -> None:
        super().__init__()
        self.config, width = config, config.width
        inner = config.convolutions - 2
        outs = (*(width,) * (inner + 1), COLOURS * config.scale**2)
        ins = (COLOURS, *(width,) * (inner + 1))
        self.convs = nn.ModuleList(
            nn.Conv2d(a, b, 3, padding=1) for a, b in zip(ins, outs, strict=True)
        )
        self.bends = nn.ModuleList(nn.PReLU(width) for _ in range(inner + 1))

    @property
    def scale(self) -> int:
        """New pixels along one side of an old one."""
        return self.config.scale

    def forward(self, x: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 3 H2 W2"]:
        """Enlarge pictures in 0..1 (a little beyond at times: the caller clamps)."""
        *before, last = self.convs
        h = x
        for conv, bend in zip(before, self.bends, strict=True):
            h = bend(conv(h))
        found = F.pixel_shuffle(last(h), self.scale)
        return found + F.interpolate(x, scale_factor=float(self.scale), mode="nearest")


Upscaler = RRDBNet | CompactNet


def load_upscaler(path: Path) -> Upscaler:
    """Open the file of a network that enlarges: RRDBNet in three dialects, or compact.

    Raises:
        CheckpointError: it cannot be opened, or is neither.
    """
    checkpoint = open_checkpoint(path)
    shapes = checkpoint.shapes
    network: Upscaler
    try:
        named = dialect(shapes)
        if named is not None:
            config = _rrdb_sizes(shapes, named)
            table = {theirs: ours for ours, theirs in named.items()}
            network = assemble(lambda: RRDBNet(config), checkpoint.tensors, table)
        elif "body.0.weight" in shapes and "body.1.weight" in shapes:
            sizes = _compact_sizes(shapes)
            names = compact_table(sizes.convolutions)
            network = assemble(lambda: CompactNet(sizes), checkpoint.tensors, names)
        else:
            raise CheckpointError(
                path, "it holds no network that enlarges known here (ESRGAN's RRDBNet, compact)"
            )
    except KeyError as missing:
        raise CheckpointError(path, f"it lacks the tensor {missing.args[0]}") from missing
    except ValueError as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(path, str(error)) from error
    lies_in_file(network, checkpoint.tensors.forget)
    return network


def _rrdb_sizes(shapes: Shapes, named: dict[str, str]) -> RRDBConfig:
    """Read the sizes from the shapes, found by our names."""
    first = f"{named['first']}.weight"
    seen = side(shapes, first, 1)
    return RRDBConfig(
        width=side(shapes, first, 0),
        growth=side(shapes, f"{named['blocks.0.dense.0.convs.0']}.weight", 0),
        blocks=len({name.split(".")[1] for name in named if name.startswith("blocks.")}),
        doublings=sum(name.startswith("up.") for name in named),
        unshuffle=round((seen / COLOURS) ** 0.5),
    )


def _compact_sizes(shapes: Shapes) -> CompactConfig:
    """Read the sizes of a compact network: convolutions have even numbers."""
    count = reach({n.replace("body.", ""): s for n, s in shapes.items()}, "{}.weight")
    last = side(shapes, f"body.{count - 1}.weight", 0)
    return CompactConfig(
        width=side(shapes, "body.0.weight", 0),
        convolutions=(count + 1) // 2,
        scale=round((last / COLOURS) ** 0.5),
    )


def _bent(x: Tensor) -> Tensor:
    return F.leaky_relu(x, SLOPE)
