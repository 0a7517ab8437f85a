"""Where a user's files lie: models, input, output and temporary pictures.

Everything is in one home folder.  Further models folders, such as that of a
ComfyUI installation, are searched after it, also under ComfyUI's older folder
names.  Built-in files appear among the models without lying there.

A file is named by its kind ("checkpoints", "input", ...) and its path inside
that folder, written with slashes.  A name never leads out of its folder.
"""

import os
import re
import secrets
import shutil
import string
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from safelight.graph.outputs import OutputSeries

MODEL_KINDS = (
    "checkpoints",
    "loras",
    "vae",
    "controlnet",
    "embeddings",
    "text_encoders",
    "diffusion_models",
    "upscale_models",
    "clip_vision",
    "vae_approx",
    "diffusers",
    "style_models",
    "ipadapter",
)
# Models that are folders, known by the file in them that lists their parts.
FOLDERS = {"diffusers": "model_index.json"}
# Autoencoders in two files of vae_approx, which are offered among the others under one name.
TINY = ("taesd", "taesdxl", "taesd3", "taef1")
PLACES = ("input", "output", "temp", "custom_nodes")
PICTURE_PLACES = ("input", "output", "temp")
SETS = "picture_sets"  # folders of pictures below input/, to learn from
# Names by which ComfyUI installations know some of these folders.
OLDER_NAMES = {
    "text_encoders": ("clip",),
    "diffusion_models": ("unet",),
    "controlnet": ("t2i_adapter",),
}
MODEL_SUFFIXES = frozenset({".safetensors", ".sft"})
BLOCK_KINDS = ("diffusion_models", "text_encoders")  # where .gguf files are read too
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
# Characters that some file system refuses, and control characters.
_UNPORTABLE = re.compile(r'[<>:"|?*\x00-\x1f]')
_LONGEST_STEM = 180  # bytes; most file systems allow 255 for a whole name


class FolderError(ValueError):
    """A file or folder cannot be used; the message names it and says why."""


@dataclass(frozen=True, slots=True)
class Folders:
    """The home folder, the further models folders and the built-in files.

    Args:
        home: Holds models/, input/, output/, temp/ and custom_nodes/.
        extra_models: Further models folders, searched in order after the home's.
        builtin: Files by kind and name that are found before all others.
        elsewhere: Folders by kind that do not lie in the home.
    """

    home: Path
    extra_models: Sequence[Path] = ()
    builtin: Mapping[str, Mapping[str, Path]] = field(default_factory=dict)
    elsewhere: Mapping[str, Path] = field(default_factory=dict)

    def create(self) -> None:
        """Make every folder that is missing."""
        for kind in (*MODEL_KINDS, *PLACES):
            self.directory(kind).mkdir(parents=True, exist_ok=True)

    def empty_temp(self) -> None:
        """Throw away the temporary pictures of earlier sessions."""
        shutil.rmtree(self.directory("temp"), ignore_errors=True)
        self.directory("temp").mkdir(parents=True, exist_ok=True)

    def directory(self, kind: str) -> Path:
        """Return the home's own folder of that kind.

        Raises:
            FolderError: When there is no such kind.
        """
        if kind in self.elsewhere:
            return self.elsewhere[kind]
        if kind in MODEL_KINDS:
            return self.home / "models" / kind
        if kind in PLACES:
            return self.home / kind
        if kind == SETS:
            return self.home / "input"
        known = ", ".join((*MODEL_KINDS, *PLACES))
        raise FolderError(f"there is no folder {kind!r}; there are {known}")

    def roots(self, kind: str) -> tuple[Path, ...]:
        """Return every directory searched for files of that kind, in order."""
        own = self.directory(kind)
        if kind not in MODEL_KINDS:
            return (own,)
        spellings = (kind, *OLDER_NAMES.get(kind, ()))
        return (own, *(extra / name for extra in self.extra_models for name in spellings))

    def names(self, kind: str) -> list[str]:
        """List the usable files: built-in ones first, then sorted paths with slashes."""
        if kind in FOLDERS:
            listings = (
                (root, path) for root in self.roots(kind) for path in root.rglob(FOLDERS[kind])
            )
            return sorted({path.parent.relative_to(root).as_posix() for root, path in listings})
        if kind == SETS:
            pictures = _walk(self.directory(kind), IMAGE_SUFFIXES)
            return sorted({name.rpartition("/")[0] for name in pictures} - {""})
        suffixes = MODEL_SUFFIXES if kind in MODEL_KINDS else IMAGE_SUFFIXES
        if kind in BLOCK_KINDS:
            suffixes |= {".gguf"}
        builtin = list(self.builtin.get(kind, {}))
        found = {name for root in self.roots(kind) for name in _walk(root, suffixes)}
        if kind == "vae":
            found.update(name for name in TINY if self._tiny(name) is not None)
        return builtin + sorted(found.difference(builtin))

    def resolve(self, kind: str, name: str) -> Path:
        """Return the path of the file `name`.

        Among pictures a name may end with " [input]", " [output]" or " [temp]",
        which says where it lies instead.  Of a model that is a folder it is the
        file that lists its parts; a set of pictures is the folder itself.

        Raises:
            FolderError: When the name leads out of the folder, or no file is there.
        """
        if name in self.builtin.get(kind, {}):
            return self.builtin[kind][name]
        tiny = self._tiny(name) if kind == "vae" and name in TINY else None
        if tiny is not None:
            return tiny
        kind, name = _place(kind, name)
        inside = _inside(kind, name)
        if kind in FOLDERS:
            inside = f"{inside}/{FOLDERS[kind]}"
        candidates = [root / inside for root in self.roots(kind)]
        if kind == SETS and os.path.isdir(candidates[0]):
            return candidates[0]
        for path in candidates:
            if os.path.isfile(path):  # False, not an error, for impossible names
                return path
        if any(os.path.isdir(path) for path in candidates):
            raise FolderError(f"{kind}: {name!r} is a folder, not a file")
        raise FolderError(f"{kind}: there is no file {name!r}")

    def place_for(self, kind: str, name: str) -> Path:
        """Return where a file of that name is to be written: in the home's own folder.

        Raises:
            FolderError: When the name leads out of the folder.
        """
        return self.directory(kind) / _inside(kind, name)

    def _tiny(self, name: str) -> Path | None:
        """Return the decoder of a tiny autoencoder if its encoder lies beside it."""
        for root in self.roots("vae_approx"):
            both = [root / f"{name}_{half}.safetensors" for half in ("decoder", "encoder")]
            if all(path.is_file() for path in both):
                return both[0]
        return None

    def stamp(self, kind: str, name: str) -> str:
        """Return a text that changes when the file does: its size and time of change.

        Raises:
            FolderError: As `resolve`.
        """
        found = self.resolve(kind, name).stat()
        return f"{found.st_size}-{found.st_mtime_ns}"

    def new_output(self, kind: str, prefix: str, width: int, height: int) -> OutputSeries:
        """Return the next free numbers for pictures called `prefix`, making the folder.

        The prefix may name subfolders and hold %width% %height% %year% %month%
        %day% %hour% %minute% %second% and, for each picture of a batch,
        %batch_num%.  Files are called `<prefix>_<5 digits>_.png`; the number is
        one more than the greatest there.  In "temp" the prefix is made unique.

        Args:
            kind: "output" or "temp".
            prefix: As the user wrote it.
            width: Of the picture, in pixels.
            height: Of the picture, in pixels.

        Raises:
            FolderError: When the prefix leads out of the folder.
        """
        inside = PurePosixPath(_inside(kind, _filled(prefix, width, height) or "image"))
        stem = _shortened(inside.name)
        if kind == "temp":
            stem += "_temp_" + "".join(secrets.choice(string.ascii_lowercase) for _ in range(5))
        subfolder = "" if inside.parent == PurePosixPath() else str(inside.parent)
        directory = self.directory(kind) / subfolder
        directory.mkdir(parents=True, exist_ok=True)
        return OutputSeries(directory, subfolder, kind, stem, _next_number(directory, stem))


def _walk(root: Path, suffixes: frozenset[str]) -> Iterator[str]:
    """Yield files below `root` with one of the suffixes, following links once."""
    seen: set[str] = set()
    for folder, subfolders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            subfolders.clear()
            continue
        seen.add(real)
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        for name in files:
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in suffixes:
                yield Path(folder, name).relative_to(root).as_posix()


def _place(kind: str, name: str) -> tuple[str, str]:
    """Split "a.png [output]" into the place it names and the name proper."""
    if kind in PICTURE_PLACES:
        for place in PICTURE_PLACES:
            if name.endswith(f" [{place}]"):
                return place, name.removesuffix(f" [{place}]")
    return kind, name


def _inside(kind: str, name: str) -> str:
    """Return the relative path of `name` with slashes, or refuse it."""
    path = PurePosixPath(name.replace("\\", "/"))
    if not path.parts:
        raise FolderError(f"{kind}: a file name is empty")
    drive = ":" in name and os.name == "nt"
    if path.is_absolute() or ".." in path.parts or "\0" in name or drive:
        raise FolderError(f"{kind}: {name!r} leads out of the folder")
    return str(path)


def _filled(prefix: str, width: int, height: int) -> str:
    """Replace the words between percent signs, and characters that files cannot have."""
    now = time.localtime()
    words = {
        "width": str(width),
        "height": str(height),
        "year": str(now.tm_year),
        "month": f"{now.tm_mon:02}",
        "day": f"{now.tm_mday:02}",
        "hour": f"{now.tm_hour:02}",
        "minute": f"{now.tm_min:02}",
        "second": f"{now.tm_sec:02}",
    }
    filled = re.sub(r"%(\w+)%", lambda match: words.get(match[1], match[0]), prefix)
    return _UNPORTABLE.sub("_", filled)


def _shortened(stem: str) -> str:
    return stem.encode(errors="replace")[:_LONGEST_STEM].decode(errors="ignore")


def _next_number(directory: Path, stem: str) -> int:
    pieces = map(re.escape, stem.split("%batch_num%"))
    pattern = re.compile(r"\d+".join(pieces) + r"_(\d+)_", re.IGNORECASE)
    matches = (pattern.match(entry) for entry in os.listdir(directory))
    return 1 + max((int(match[1]) for match in matches if match), default=0)
