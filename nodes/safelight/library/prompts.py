"""Reading prompts: with the text encoders of a wire, and with the user's learnt words."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from safelight.diffusion import conditioning, memory
from safelight.diffusion.prompt import SUFFIXES, mentions, stem
from safelight.diffusion.texts import Texts
from safelight.diffusion.textual_inversion import Embedding, read_embedding
from safelight.graph.folders import FolderError, Folders
from safelight.graph.node import Context

KIND = "embeddings"
# Set to 1 by who trusts the .pt files in that folder; they are read without running their code.
PICKLES = "SAFELIGHT_READ_PICKLES"


@dataclass(frozen=True)
class EmbeddingFolder(Mapping[str, Embedding]):
    """The learnt words in the user's folder, by file name without suffix; opened when asked."""

    folders: Folders
    pickles: bool = False

    def __getitem__(self, name: str) -> Embedding:
        return read_embedding(self.folders.resolve(KIND, self._file(name)), pickles=self.pickles)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self._file(name))

    def __iter__(self) -> Iterator[str]:
        yield from (stem(name) for name in self.folders.names(KIND))

    def __len__(self) -> int:
        return len(self.folders.names(KIND))

    def _file(self, name: str) -> str:
        """Return the name of the file with these words; empty if there is none."""
        for suffix in SUFFIXES if self.pickles else SUFFIXES[:2]:
            try:
                self.folders.resolve(KIND, name + suffix)
            except FolderError:
                continue
            return name + suffix
        return ""


def told(ctx: Context, texts: Texts, prompt: str | Mapping[str, str]) -> conditioning.Conditioning:
    """Read a prompt, in which `embedding:name` stands for a file of the folder embeddings.

    Raises:
        TextsError: a text encoder or an embedding is missing.
        CheckpointError: an embedding cannot be read.
    """
    place = memory.choose(ctx.device, ctx.precision).for_text
    words = EmbeddingFolder(ctx.folders, pickles=os.environ.get(PICKLES) == "1")
    return replace(texts, embeddings=words).encode(prompt, place)


def stamped(folders: Folders, *prompts: object) -> str:
    """Return a text that changes when the files change that prompts may mention.

    A prompt that comes by a wire (None here) is not known yet, and may mention any of them.
    """
    texts = [prompt for prompt in prompts if isinstance(prompt, str)]
    named = {stem(name) for text in texts for name in mentions(text)}
    if len(texts) < len(prompts):
        named |= {stem(name) for name in folders.names(KIND)}
    files = (name + suffix for name in sorted(named) for suffix in SUFFIXES)
    return ",".join(_stamp(folders, name) for name in files)


def _stamp(folders: Folders, name: str) -> str:
    try:
        return f"{name}@{folders.stamp(KIND, name)}"
    except FolderError:
        return ""  # it is not there, and once it is, the text is another
