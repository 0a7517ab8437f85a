r"""Textual inversion: a new word, found by asking which word would draw these pictures.

A text encoder turns each word into a row of its table before anything else happens.  To
teach a model a thing it has never seen, nothing of the model is changed: some rows s are
added to the table, and only they are trained, through the frozen encoder c and the frozen
denoiser, until the usual loss on a few pictures z is least:

    s = argmin_s  E[ || v - v'(x_t, t, c("a s in the snow")) ||^2 ]

Afterwards `embedding:name` in a prompt stands for those rows, wherever a word could stand:

    ids      <start>  a   s_1  s_2  s_3  s_4   in   the  snow  <end>
    rows        W     W    s    s    s    s     W    W    W      W

Three ways to teach a trained network (`lora`, `textual_inversion`, `controlnet`), measured on the
embedded model: a LoRA of rank 4 in transformers and convolutions, a word of 8 vectors, edges.

                       LoRA                  textual inversion     ControlNet
    what is changed    weights, by products  nothing: words more   nothing: maps get a sum
    what is trained    two thin matrices     a few vectors         a copy of half the U-Net
    what it learns by  captioned pictures    a few pictures        pictures, captions, hints
    what goes in       the prompt, as ever   a new word in it      a hint, at every step
    what it adds       a style, a subject    what can be drawn     places and outlines
    numbers            290,560               1,536                 3,010,288
    of the U-Net's     1/25                  1/4,657               2/5
    its file           0.6 MB                4 kB                  6.0 MB

The embedded model's own word was learnt from eight drawings in a few minutes on two cores
(`training.inversion`); most of its file says where it comes from.

A word can only ask for what the denoiser can already draw: it finds a snail by saying
"round shell, two feelers, slimy" in a language that only the encoder speaks.

Symbols: V words in the table, N rows that are new, D width of a row, B batch, L tokens.

Source: Gal et al. 2022 (arXiv:2208.01618), section 3 and equation 2.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from safelight.diffusion.clip import TextEncoder
from safelight.diffusion.variant import variant
from safelight.diffusion.weights import CheckpointError, open_checkpoint

EVERY = ""  # stands for each tower that is wide enough, in a file that names none
TOWERS: Mapping[str, str] = {"clip_l": "l", "clip_g": "g", "clip_h": "h"}  # file's name -> ours
SINGLE = "emb_params"  # what a file of one tower calls its rows


class InversionError(ValueError):
    """New words do not fit the text encoders they were to be said to."""


@dataclass(frozen=True, eq=False)
class Embedding:
    """What a file teaches: rows [N, D] for each tower by its short name, or for `EVERY` one."""

    rows: Mapping[str, Float[Tensor, "N D"]]

    def rows_for(self, tower: str, width: int) -> Float[Tensor, "N D"] | None:
        """Return the rows meant for a tower; None if there are none of its kind and width."""
        rows = self.rows.get(tower, self.rows.get(EVERY))
        return rows if rows is not None and rows.shape[1] == width else None


class Rows(nn.Module):
    """New rows as a table of words; where they are still learning, gradients reach them."""

    def __init__(self, rows: Float[Tensor, "N D"]) -> None:
        super().__init__()
        self.rows = rows

    @property
    def embedding_dim(self) -> int:
        """The width of a row."""
        return self.rows.shape[1]

    def forward(self, ids: Int[Tensor, "B L"]) -> Float[Tensor, "B L D"]:
        """Look up ids that count from 0."""
        return F.embedding(ids, self.rows)


class Dictionary(nn.Module):
    """A word table with rows behind its end: ids below V are old words, the others new."""

    def __init__(self, words: nn.Embedding, new: nn.Embedding | Rows) -> None:
        super().__init__()
        self.words = words
        self.new = new

    def forward(self, ids: Int[Tensor, "B L"]) -> Float[Tensor, "B L D"]:
        """Look every id up where it stands."""
        is_new = ids >= self.words.num_embeddings
        old = self.words(ids.masked_fill(is_new, 0))
        new = self.new((ids - self.words.num_embeddings).clamp(min=0))
        return torch.where(is_new[..., None], new, old)


def with_words(encoder: TextEncoder, new: nn.Embedding | Rows) -> TextEncoder:
    """Return an encoder that also knows new words; it shares everything else.

    Raises:
        InversionError: the new rows are not as wide as the encoder's own.
    """
    width = encoder.token.embedding_dim
    if new.embedding_dim != width:
        raise InversionError(
            f"the new words have rows of {new.embedding_dim} numbers, those of the text encoder "
            f"have {width}"
        )
    return variant(encoder, {"token": Dictionary(encoder.token, new)})


def fitted(
    embeddings: Mapping[str, Embedding], widths: Mapping[str, int]
) -> Mapping[str, Mapping[str, Float[Tensor, "N D"]]]:
    """Return for each tower, given by its width, the rows that each name stands for.

    A tower for which a file has nothing does not hear the name.

    Raises:
        InversionError: a file has nothing for any tower; names all such files.
    """
    heard: dict[str, dict[str, Tensor]] = {tower: {} for tower in widths}
    misfits: list[str] = []
    for name, embedding in embeddings.items():
        found = {tower: embedding.rows_for(tower, width) for tower, width in widths.items()}
        for tower, rows in found.items():
            if rows is not None:
                heard[tower][name] = rows
        if all(rows is None for rows in found.values()):
            given = " and ".join(str(rows.shape[1]) for rows in embedding.rows.values())
            misfits.append(f"embedding {name!r} has rows of {given} numbers")
    if misfits:
        wanted = " and ".join(str(width) for width in widths.values())
        raise InversionError(f"{'; '.join(misfits)}; words of this model have {wanted}")
    return heard


def read_embedding(path: Path, *, pickles: bool = False) -> Embedding:
    """Open a file of new words; a pickle only where `pickles` allows it.

    Known are one tensor of any name (as `emb_params`, or a diffusers token), and one for each
    text encoder (`clip_l`, `clip_g`).  Pickles keep theirs in a table "string_to_param".

    Raises:
        CheckpointError: it cannot be opened, or holds no new words.
    """
    if path.suffix in (".pt", ".bin") and pickles:
        found = _unpickled(path)
    else:
        checkpoint = open_checkpoint(path)
        found = {name: checkpoint.tensors[name] for name in checkpoint.shapes}
    rows = {TOWERS.get(name, EVERY): _rows(tensor) for name, tensor in found.items()}
    many = len(rows) != len(found) or (EVERY in rows and len(rows) > 1)
    if not rows or many or not all(_are_rows(part) for part in rows.values()):
        held = ", ".join(f"{name} {list(tensor.shape)}" for name, tensor in list(found.items())[:5])
        wish = f"want one table of rows ({SINGLE}), or {', '.join(TOWERS)}"
        raise CheckpointError(path, f"it holds no textual inversion: {wish}; it has {held}")
    return Embedding(rows)


def _rows(tensor: Tensor) -> Tensor:
    """Return a single row as a table of one."""
    return tensor[None] if tensor.ndim == 1 else tensor


def _are_rows(tensor: Tensor) -> bool:
    return tensor.ndim == 2 and tensor.is_floating_point() and 0 < len(tensor) <= 75


def _unpickled(path: Path) -> dict[str, Tensor]:
    """Read a pickle of tensors and plain values; what could run code is refused by torch."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can raise anything
        raise CheckpointError(path, f"this pickle cannot be read: {error}") from error
    table = content.get("string_to_param", content) if isinstance(content, dict) else {}
    return {str(name): part.detach() for name, part in table.items() if isinstance(part, Tensor)}
