"""The data of the training: drawn pictures and their captions, in a folder.

Pictures are drawn once, by several processes, into one array of bytes that is
mapped rather than read; captions go to a file of JSON lines beside it.  The
last pictures are held out: training never chooses them, figures are measured
on them.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from safelight.training.progress import Meter
from safelight.training.tokenizer import UNKNOWN
from safelight.training.world import CROWDED, FULL, SIMPLE, Scene, draw, meaning, sample_scene

HELD_OUT = 512  # pictures, the last ones
UNKNOWN_WORD = 0.02  # share of words hidden, so that `<unk>` comes to mean "something"
MIXES: Final = (SIMPLE, FULL, CROWDED)  # in turn: one large subject, anything, many figures
PICTURES, CAPTIONS = "pictures.npy", "captions.jsonl"


def draw_pictures(folder: Path, count: int, size_px: int, processes: int) -> None:
    """Draw `count` pictures into `folder`; a call that was killed is continued.

    Raises:
        ValueError: if the folder holds pictures of another count or size.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pixels = _array(folder / PICTURES, (count, size_px, size_px, 3))
    captions = folder / CAPTIONS
    done = len(captions.read_text("utf-8").splitlines()) if captions.exists() else 0
    meter = Meter("draw")
    with (
        get_context("spawn").Pool(processes) as pool,
        captions.open("a", encoding="utf-8") as file,
    ):
        drawings = pool.imap(partial(_drawing, size_px), range(done, count), chunksize=64)
        for index, (image, said) in enumerate(drawings, start=done):
            pixels[index] = image
            file.write(json.dumps(said) + "\n")
            meter.show((index + 1) / count, 0.0, {"pictures": index + 1})
    pixels.flush()


def _drawing(size_px: int, index: int) -> tuple[UInt8[np.ndarray, "H W 3"], tuple[str, ...]]:
    drawing = draw(index, size_px, MIXES[index % len(MIXES)])
    return drawing.image, drawing.captions


def scene_of(index: int) -> Scene:
    """What the picture with this number shows, without drawing it."""
    return sample_scene(Random(index), MIXES[index % len(MIXES)])


def different(pictures: Sequence[int]) -> list[int]:
    """Those of `pictures` whose captions differ in meaning: the first of each."""
    firsts = {meaning(scene_of(index)): index for index in reversed(pictures)}
    return sorted(firsts.values())


def _array(path: Path, shape: tuple[int, ...]) -> "np.memmap[Any, np.dtype[np.uint8]]":
    """Open the array of pictures, or make an empty one."""
    if not path.exists():
        return np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    array = np.lib.format.open_memmap(path, mode="r+")
    if array.shape != shape:
        raise ValueError(f"{path} holds pictures of shape {array.shape}, not {shape}")
    return array


@dataclass(frozen=True)
class Pictures:
    """The drawn pictures, mapped."""

    pixels: UInt8[np.ndarray, "N H W 3"]

    @classmethod
    def open(cls, folder: Path) -> "Pictures":
        """Map the pictures that `draw_pictures` left in `folder`."""
        return cls(np.load(folder / PICTURES, mmap_mode="r"))

    @property
    def size_px(self) -> int:
        """The side of each picture."""
        return self.pixels.shape[1]

    def choose(self, count: int, draw: torch.Generator) -> Int[Tensor, " B"]:
        """Choose pictures to learn from, never a held-out one."""
        return _choose(len(self.pixels), count, draw)

    def batch(self, chosen: Int[Tensor, " B"]) -> Float[Tensor, "B 3 H W"]:
        """The chosen pictures, in -1..1."""
        return to_tensor(np.stack([self.pixels[index] for index in chosen.tolist()]))

    def crops(
        self, chosen: Int[Tensor, " B"], side_px: int, draw: torch.Generator
    ) -> Float[Tensor, "B 3 side side"]:
        """A square piece of each chosen picture, in -1..1, its corner anywhere."""
        corners = torch.randint(self.size_px - side_px + 1, (len(chosen), 2), generator=draw)
        pieces = [
            self.pixels[index, y : y + side_px, x : x + side_px]
            for index, (y, x) in zip(chosen.tolist(), corners.tolist(), strict=True)
        ]
        return to_tensor(np.stack(pieces))

    def held_out(self, count: int) -> Float[Tensor, "B 3 H W"]:
        """The last `count` pictures, in -1..1."""
        return to_tensor(np.asarray(self.pixels[-count:]))


@dataclass(frozen=True)
class Captions:
    """What can be said about each picture: several captions for each."""

    said: Sequence[Sequence[str]]

    @classmethod
    def open(cls, folder: Path) -> "Captions":
        """Read the captions that `draw_pictures` left in `folder`."""
        lines = (folder / CAPTIONS).read_text("utf-8").splitlines()
        return cls([json.loads(line) for line in lines])

    def choose(self, count: int, draw: torch.Generator) -> Int[Tensor, " B"]:
        """Choose pictures to learn from, never a held-out one."""
        return _choose(len(self.said), count, draw)

    def pick(self, chosen: Int[Tensor, " B"], draw: torch.Generator) -> list[str]:
        """One caption for each chosen picture, now and then with a word hidden."""
        numbers: list[int] = chosen.tolist()
        ways: list[float] = torch.rand(len(chosen), generator=draw).tolist()
        options = [self.said[number] for number in numbers]
        texts = [said[int(way * len(said))] for said, way in zip(options, ways, strict=True)]
        return [_hidden(text, draw) for text in texts]

    def first(self, index: int) -> str:
        """The first caption of one picture."""
        return self.said[index][0]


def _choose(total: int, count: int, draw: torch.Generator) -> Int[Tensor, " B"]:
    return torch.randint(total - _held_out(total), (count,), generator=draw)


def _held_out(total: int) -> int:
    return min(HELD_OUT, total // 2)


def _hidden(text: str, draw: torch.Generator) -> str:
    """Replace a word here and there by the unknown word."""
    words = text.split()
    hide = (torch.rand(len(words), generator=draw) < UNKNOWN_WORD).tolist()
    return " ".join(UNKNOWN if h else word for word, h in zip(words, hide, strict=True))


def to_tensor(pixels: UInt8[np.ndarray, "B H W 3"]) -> Float[Tensor, "B 3 H W"]:
    """Turn pictures of bytes into -1..1, the colours first."""
    # A copy: mapped memory is read-only, and convolutions want channels first.
    levels = torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2)
    return levels.float().div_(127.5).sub_(1).contiguous()
