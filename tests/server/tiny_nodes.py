"""A catalog without torch, for stories about the server: it adds, waits, draws, fails and dies."""

import os
import signal
import struct
import time
import zlib
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from safelight.graph.node import Context, Folder, Node, Output, Range, Shown, Text
from safelight.graph.returns import Blocked, Child, Expansion
from safelight.graph.wiring import Link


class Number:
    """A number on a wire."""

    wire: ClassVar[str] = "NUMBER"

    def __init__(self, value: int) -> None:
        self.value = value


class Constant(Node):
    """Give a number."""

    value: Annotated[int, Range(0, 100)] = 1

    def run(self, ctx: Context) -> Annotated[Number, Output("NUMBER")]:
        """Give it."""
        return Number(self.value)


class Add(Node):
    """Add two numbers."""

    a: Number
    b: Number

    def run(self, ctx: Context) -> Annotated[Number, Output("NUMBER")]:
        """Add them."""
        return Number(self.a.value + self.b.value)


class Walk(Node):
    """Take slow steps, showing a picture after each."""

    number: Number
    steps: Annotated[int, Range(1, 10_000)] = 3
    seconds: Annotated[float, Range(0.0, 60.0)] = 0.01
    label: str = ""

    def run(self, ctx: Context) -> Annotated[Number, Output("NUMBER")]:
        """Take them."""
        for _ in ctx.track(range(self.steps), self.steps):
            time.sleep(self.seconds)
            ctx.preview(lambda: b"\xff\xd8 not really a picture \xff\xd9")
        return self.number


class Fail(Node):
    """Raise an error."""

    number: Number
    message: str = "boom"

    def run(self, ctx: Context) -> Annotated[Number, Output("NUMBER")]:
        """Raise it."""
        raise ValueError(self.message)


class Die(Node):
    """Kill the process, as a lack of memory would; with a file, only the first time."""

    number: Number
    only_once: str = ""

    def run(self, ctx: Context) -> Annotated[Number, Output("NUMBER")]:
        """Kill it."""
        marker = Path(self.only_once)
        if not self.only_once or not marker.exists():
            if self.only_once:
                marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return self.number


class Save(Node):
    """Save a picture one pixel large, as bright as the number."""

    effect: ClassVar[bool] = True
    number: Number
    filename_prefix: Annotated[str, Text()] = "tiny"

    def run(self, ctx: Context) -> Shown:
        """Save it."""
        file = ctx.folders.new_output("output", self.filename_prefix, 1, 1).file(0)
        file.write(png(self.number.value % 256))
        return Shown({"images": [file.record()]})


class Look(Node):
    """Say whether a file is there, which is all that is ever done with it here."""

    effect: ClassVar[bool] = True
    image: Annotated[str, Folder("input", upload=True)]

    def run(self, ctx: Context) -> Shown:
        """Say it."""
        size = ctx.folders.resolve("input", self.image).stat().st_size
        return Shown({"text": [{"size": size}]})


class Pick(Node):
    """Say which colour was picked."""

    effect: ClassVar[bool] = True
    colour: Literal["red", "green"] = "red"

    def run(self, ctx: Context) -> Shown:
        """Say it."""
        return Shown({"text": [{"colour": self.colour}]})


class Babble(Node):
    """Show what no message can carry."""

    effect: ClassVar[bool] = True
    number: Number

    def run(self, ctx: Context) -> Shown:
        """Show it."""
        return Shown({"numbers": [{"value": float("nan")}]})


class Twice(Node):
    """Save a number twice over, by further nodes."""

    number: Number

    def run(self, ctx: Context) -> Annotated[Number, Output("NUMBER")] | Expansion:
        """Add it to itself, and save the sum."""
        twice = Child("Add", {"a": self.number, "b": self.number})
        save = Child("Save", {"number": Link("add", 0)})
        return Expansion({"add": twice, "save": save}, (Link("add", 0),))


class Stop(Node):
    """Let nothing through."""

    number: Number

    def run(self, ctx: Context) -> Annotated[Number, Output("NUMBER")] | Blocked:
        """Say why."""
        return Blocked("nothing gets through here")


def png(grey: int) -> bytes:
    """Return a PNG of one grey pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes([0, grey]))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )
