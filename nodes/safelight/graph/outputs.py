"""Files that nodes write: their numbered names, and whole or not at all."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A file to be written: where, and how the user's programs call it."""

    path: Path
    filename: str
    subfolder: str
    type: str

    def record(self) -> Mapping[str, object]:
        """How messages name the file: filename, subfolder and type."""
        return {"filename": self.filename, "subfolder": self.subfolder, "type": self.type}

    def write(self, content: bytes) -> None:
        """Write the whole file or nothing: temporary name, sync, rename."""
        draft = self.path.with_name(f".{self.filename}.{secrets.token_hex(4)}.part")
        try:
            with draft.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.path)
        finally:
            draft.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class OutputSeries:
    """A run of numbered files that share a prefix, from `counter` upwards."""

    directory: Path
    subfolder: str
    kind: str
    stem: str
    counter: int

    def file(self, index: int, suffix: str = ".png") -> OutputFile:
        """Return the file of the picture at `index` (from 0) in the batch."""
        stem = self.stem.replace("%batch_num%", str(index))
        filename = f"{stem}_{self.counter + index:05}_{suffix}"
        return OutputFile(self.directory / filename, filename, self.subfolder, self.kind)
