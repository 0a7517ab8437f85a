r"""Control: a second network that looks at a picture and steers the first.

The denoiser listens to words, which say little about where things are.  A control network
is shown a hint, a picture of edges or a pose, and answers with residuals: numbers to add to
the denoiser's feature maps.  The denoiser itself stays as it is, and takes them as an
argument:

    r = sum_k  s_k m_k g_k(hint_k, z, t, c)        over all controls that are on at this noise
    D = network(z, t, c, residuals=r)

What is added where depends on the control network:

    kept       to the maps that the way up takes back            ControlNet on a U-Net
    middle     to the map at the bottom of the U                 the same
    passing    to each map as it goes on to the next block       T2I-adapters; transformers

With strength 0 nothing is asked and nothing is added: the picture is the same, bit for bit.
Several controls add up.  Where only an area of the latent is looked at, hint and mask are
cut to it.

Symbols: B batch, z latent under noise, h x w its pixels; s strength, m mask; H x W pixels
of the hint; t time, c prompt (L tokens of width D), Y width of the vector of XL.

Source: Zhang et al. 2023 (arXiv:2302.05543), section 3; Mou et al. 2023 (arXiv:2302.08453),
section 3.3.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from safelight.diffusion.memory import Placement, resident
from safelight.diffusion.region import Box
from safelight.diffusion.resample import crop_to_aspect, resize
from safelight.diffusion.schedule import Schedule

CELL = 8  # pixels of a hint along one latent pixel


class ControlMismatch(ValueError):
    """A control network was made for another model than the one it shall steer."""


@dataclass(frozen=True, eq=False)
class Residuals:
    """What is added to the feature maps of a denoiser; None adds nothing there."""

    kept: tuple[Tensor | None, ...] = ()
    middle: Tensor | None = None
    passing: tuple[Tensor | None, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.kept or self.passing) or self.middle is not None

    def __add__(self, other: "Residuals") -> "Residuals":
        return Residuals(
            _sums(self.kept, other.kept),
            plus(self.middle, other.middle),
            _sums(self.passing, other.passing),
        )

    def each(self, change: Callable[[Tensor], Tensor]) -> "Residuals":
        """Return them with every tensor changed in the same way."""
        return Residuals(
            tuple(None if one is None else change(one) for one in self.kept),
            None if self.middle is None else change(self.middle),
            tuple(None if one is None else change(one) for one in self.passing),
        )


NOTHING = Residuals()


@dataclass(frozen=True, eq=False)
class Question:
    """What a control network is asked: the hint, and what the denoiser is asked too."""

    hint: Float[Tensor, "B K H W"]
    z: Float[Tensor, "B C h w"]
    timestep: Float[Tensor, " B"]
    tokens: Float[Tensor, "B L D"]
    vector: Float[Tensor, "B Y"] | None = None
    kinds: tuple[int, ...] = ()  # which of its tasks a network for several shall do


class Controller(nn.Module):
    """A control network that is ready to answer."""

    def answer(self, question: Question) -> Residuals:
        """Return what to add.

        Raises:
            NotImplementedError: the class does not say how.
        """
        raise NotImplementedError

    def on(self, base: object) -> "Controller":
        """Return the network for a denoiser.

        Raises:
            ControlMismatch: it cannot steer this one.
        """
        return self


@runtime_checkable
class Source(Protocol):
    """What gives a control network for a denoiser: one as it is, or a change to a copy of it."""

    def on(self, base: object) -> Controller:
        """Return the network that steers `base`."""
        ...


@dataclass(frozen=True, eq=False)
class Control:
    """One hint, who reads it, and how strongly, when and where it counts."""

    source: Source
    hint: Float[Tensor, "B 3 H W"]  # in 0..1
    strength: float = 1.0
    start: float = 0.0  # shares of the walk during which it counts, both ends included
    end: float = 1.0
    mask: Float[Tensor, "B H0 W0"] | None = None  # of any size; None: everywhere
    kinds: tuple[int, ...] = ()  # see `Question`
    family: str = "an unnamed family"  # the one it was made for
    shared: bool = False  # what is to be kept away from hears it too, unless it has its own
    # For networks that see the hint as a latent: pixels -> latent in diffusion's scale.
    encode: Callable[[Float[Tensor, "B 3 H W"]], Float[Tensor, "B C h w"]] | None = None
    _fitted: dict[tuple[int, int], Tensor] = field(default_factory=dict, init=False, repr=False)

    def active(self, sigma: Float[Tensor, ""], schedule: Schedule) -> bool:
        """Tell whether it counts at this noise."""
        if self.strength == 0:
            return False
        if (self.start, self.end) == (0.0, 1.0):
            return True
        return schedule.percent(self.start) >= float(sigma) >= schedule.percent(self.end)

    def placed(self, height: int, width: int, batch: int) -> "Placed":
        """Lay it on a latent of that size, one hint for each picture of a batch."""
        if (height, width) not in self._fitted:
            whole = crop_to_aspect(self.hint, height, width)
            pixels = resize(whole, CELL * height, CELL * width, "nearest-exact")
            self._fitted[height, width] = pixels if self.encode is None else self.encode(pixels)
        hint = _in_turn(self._fitted[height, width], batch)
        if self.mask is None:
            return Placed(self, hint, None, tuple(range(batch)))
        mask = resize(self.mask[:, None].float(), height, width, "bilinear")
        return Placed(self, hint, _in_turn(mask, batch), tuple(range(batch)))


@dataclass(frozen=True, eq=False)
class Placed:
    """A control laid on some rows of a batch: what of hint and mask each of them sees."""

    control: Control
    hint: Float[Tensor, "R K H W"]
    mask: Float[Tensor, "R 1 h w"] | None
    rows: tuple[int, ...]

    def cut(self, box: Box, height: int) -> "Placed":
        """Return it for a part of a latent that is `height` pixels high."""
        cell = self.hint.shape[2] // height
        sides = (box.height, box.width, box.top, box.left)
        mask = None if self.mask is None else box.cut(self.mask)
        return replace(self, hint=Box(*(cell * side for side in sides)).cut(self.hint), mask=mask)

    def shifted(self, rows: int) -> "Placed":
        """Return it so many rows further down a batch."""
        return replace(self, rows=tuple(row + rows for row in self.rows))


def together(several: Iterable[Placed]) -> tuple[Placed, ...]:
    """Join what is laid by one control on several rows, so that its network is asked once."""
    groups: dict[int, list[Placed]] = {}
    for placed in several:
        groups.setdefault(id(placed.control), []).append(placed)
    return tuple(_joined(group) for group in groups.values())


def asked(controls: Sequence[Placed], base: object, question: Question) -> Residuals:
    """Ask every control about its rows of a batch, and add up what they answer.

    The hint in `question` is not looked at: each control has its own.

    Raises:
        ControlMismatch: one of them was not made for `base`.
    """
    total = NOTHING
    for placed in controls:
        try:
            total = total + _answer(placed, base, question)
        except ControlMismatch as error:
            made_for = f"this control network is of {placed.control.family}"
            raise ControlMismatch(f"{made_for}: {error}") from error
    return total


def plus(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    """Add two feature maps, of which each may be missing."""
    if one is None or other is None:
        return other if one is None else one
    return one + other


def added(h: Tensor, more: Tensor | None) -> Tensor:
    """Add a residual, if there is one, to a feature map."""
    return h if more is None else h + more


def _answer(placed: Placed, base: object, whole: Question) -> Residuals:
    """Ask one control, weigh its answer, and lay it on the rows of the batch."""
    control, batch, z = placed.control, len(whole.z), whole.z
    everywhere = placed.rows == tuple(range(batch))
    numbers = torch.tensor(placed.rows, device=z.device)
    rows = slice(None) if everywhere else numbers
    question = Question(
        placed.hint.to(z),
        z[rows],
        whole.timestep[rows],
        whole.tokens[rows],
        None if whole.vector is None else whole.vector[rows],
        control.kinds,
    )
    with resident(control.source.on(base), Placement(z.device, z.dtype)) as network:
        answer = network.answer(question)

    def weighed(one: Tensor) -> Tensor:
        own = one * control.strength
        if placed.mask is not None:
            own = own * _mask_for(placed.mask, one)
        if everywhere:
            return own
        return own.new_zeros(batch, *own.shape[1:]).index_copy(0, numbers, own)

    return answer.each(weighed)


def _mask_for(mask: Float[Tensor, "R 1 h w"], one: Tensor) -> Tensor:
    """Resize a mask to a feature map, or lay it out as a transformer's patches."""
    if one.ndim == 4:
        return resize(mask, one.shape[2], one.shape[3], "area").to(one)
    rows, columns = mask.shape[2:]
    side = round((rows * columns / one.shape[1]) ** 0.5)  # latent pixels along a patch
    small = resize(mask, -(-rows // side), -(-columns // side), "area")
    return small.flatten(2).mT.to(one)


def _joined(group: Sequence[Placed]) -> Placed:
    if len(group) == 1:
        return group[0]
    masks = [placed.mask for placed in group if placed.mask is not None]
    return Placed(
        group[0].control,
        torch.cat([placed.hint for placed in group]),
        torch.cat(masks) if masks else None,
        tuple(row for placed in group for row in placed.rows),
    )


def _in_turn(rows: Tensor, batch: int) -> Tensor:
    """Give every picture of a batch one of several, in turn."""
    return rows.repeat(-(-batch // len(rows)), *[1] * (rows.ndim - 1))[:batch]


def _sums(
    ours: Sequence[Tensor | None], theirs: Sequence[Tensor | None]
) -> tuple[Tensor | None, ...]:
    """Add two rows of residuals, one of which may be empty."""
    if not ours or not theirs:
        return tuple(ours or theirs)
    return tuple(plus(one, other) for one, other in zip(ours, theirs, strict=True))
