"""What a person sees of a long run: one line that moves, and a log that stays."""

import json
import sys
import time
from pathlib import Path
from typing import Protocol, TextIO

BAR_CELLS = 24
SECONDS_BETWEEN_LINES = 20.0  # where the output is a file, a new line this often


class Meter:
    """A progress bar on a terminal, or a line now and then in a file."""

    def __init__(self, name: str, stream: TextIO | None = None) -> None:
        self.name = name
        self.stream = sys.stderr if stream is None else stream
        self._last = -SECONDS_BETWEEN_LINES

    def show(
        self, spent: float, seconds: float, figures: dict[str, float], *, at_once: bool = False
    ) -> None:
        """Show that the share `spent` of the run took `seconds`, with its `figures`."""
        now = time.monotonic()
        live = self.stream.isatty()
        waits = now - self._last < SECONDS_BETWEEN_LINES and spent < 1 and not at_once
        if not live and waits:
            return
        self._last = now
        line = progress_line(self.name, spent, seconds, figures)
        self.stream.write(f"\r{line}\x1b[K" if live else line + "\n")
        if live and spent >= 1:
            self.stream.write("\n")
        self.stream.flush()


def progress_line(name: str, spent: float, seconds: float, figures: dict[str, float]) -> str:
    """One line: name, bar, share, time left, and the figures."""
    done = round(BAR_CELLS * min(1.0, spent))
    bar = "#" * done + "." * (BAR_CELLS - done)
    left = seconds * (1 - spent) / spent if 0 < spent < 1 else 0.0
    words = " ".join(f"{key} {value:.4g}" for key, value in figures.items())
    return f"{name} [{bar}] {spent:4.0%} {_clock(left)} left  {words}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


class Board(Protocol):
    """Where curves are drawn; TensorBoard's writer is one."""

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None:
        """Add a point to the curve `tag`."""
        ...


def open_board(folder: Path) -> Board:
    """Begin a log in `folder` that TensorBoard can read.

    Raises:
        ValueError: the package that writes it is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ValueError(
            "a log for TensorBoard needs the package tensorboard: pip install tensorboard"
        ) from error
    writer: Board = SummaryWriter(folder / "board")
    return writer


class Log:
    """A file of JSON lines, and a board if there is one; they grow over all runs of a stage."""

    def __init__(self, path: Path, board: Board | None = None) -> None:
        self.path, self.board = path, board

    def write(self, step: int, **row: float) -> None:
        """Append one row."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **row}) + "\n")
        if self.board is not None:
            for name, value in row.items():
                self.board.add_scalar(name, value, step)
