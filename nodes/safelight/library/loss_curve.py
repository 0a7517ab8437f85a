"""The loss of a training as a picture: each step a dot, their running mean a line."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from safelight.library.pictures import PREVIEW_QUALITY

PAPER, INK, DOTS, LINE = (250, 249, 246), (60, 60, 64), (200, 205, 214), (196, 78, 40)
SMOOTH = 0.95  # of the running mean
MARGIN = 24  # pixels


def loss_curve(losses: Sequence[float], steps: int, width: int, height: int) -> PillowImage.Image:
    """Draw the losses so far of a training of so many steps."""
    page = PillowImage.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(page)
    font = ImageFont.load_default(max(10, height // 18))
    told = f"step {len(losses)} of {steps}"
    if losses:
        smooth = running_mean(losses)
        told += f", loss {smooth[-1]:.4f}"
        low, high = min(losses), max(losses)
        room = (width - 2 * MARGIN, height - 3 * MARGIN)

        def at(step: int, value: float) -> tuple[float, float]:
            across = MARGIN + room[0] * step / max(steps - 1, 1)
            return across, 2 * MARGIN + room[1] * (high - value) / max(high - low, 1e-12)

        for step, value in enumerate(losses):
            pen.point(at(step, value), DOTS)
        pen.line([at(step, value) for step, value in enumerate(smooth)], LINE, 2)
        pen.text((width - MARGIN, 2 * MARGIN), f"{high:.3g}", INK, font, anchor="rb")
        pen.text((width - MARGIN, height - MARGIN), f"{low:.3g}", INK, font, anchor="rt")
    pen.text((MARGIN, MARGIN // 2), told, INK, font)
    return page


def running_mean(losses: Sequence[float]) -> list[float]:
    """Return the mean up to each step, old ones fading; early on it is the plain mean."""
    means: list[float] = []
    for number, loss in enumerate(losses):
        kept = min(SMOOTH, number / (number + 1))
        means.append(kept * (means[-1] if means else 0.0) + (1 - kept) * loss)
    return means


def beside(sample: np.ndarray | None, curve: PillowImage.Image) -> bytes:
    """Return a JPEG of a sample [H, W, 3], if there is one, and the curve to its right."""
    page = curve
    if sample is not None:
        drawn = PillowImage.fromarray(sample).resize((curve.height, curve.height))
        page = PillowImage.new("RGB", (curve.height + curve.width, curve.height), PAPER)
        page.paste(drawn, (0, 0))
        page.paste(curve, (curve.height, 0))
    buffer = io.BytesIO()
    page.save(buffer, "JPEG", quality=PREVIEW_QUALITY)
    return buffer.getvalue()
