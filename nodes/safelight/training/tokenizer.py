"""The tokenizer of the drawn world: one token for each word it knows.

CLIP's tokenizer has 49 408 tokens, and their embeddings would outweigh our
whole model.  The drawn world is told in a few hundred words, so each becomes a
token; a word that was never seen becomes `<unk>`.  The shape of the result is
CLIP's: a start token, the words, an end token, and end tokens up to 77.

The tokenizer is a JSON document of the `tokenizers` library, which travels
inside the checkpoint.
"""

from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Int
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import Tensor

from safelight.diffusion.tokenizer import END_TOKEN, START_TOKEN
from safelight.diffusion.tokens import CHUNK

UNKNOWN = "<unk>"
SPECIAL = (START_TOKEN, END_TOKEN, UNKNOWN)


def build_tokenizer(vocabulary: Iterable[str]) -> str:
    """Return the JSON of a tokenizer that knows the words of `vocabulary`.

    Letters are lowered and punctuation stands apart, so "Cat," is "cat" and ",".
    Entries are cut up in the same way, so that all of them can be found.
    """
    lower = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    apart = pre_tokenizers.Whitespace()
    text = lower.normalize_str(" ".join(vocabulary))
    words = sorted({part for part, _ in apart.pre_tokenize_str(text)})
    ids = {word: index for index, word in enumerate([*SPECIAL, *words])}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token=UNKNOWN))
    tokenizer.normalizer, tokenizer.pre_tokenizer = lower, apart
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START_TOKEN} $A {END_TOKEN}",
        special_tokens=[(token, ids[token]) for token in (START_TOKEN, END_TOKEN)],
    )
    document: str = tokenizer.to_str()
    return document


class Words:
    """A tokenizer read back, giving chunks for a text tower."""

    def __init__(self, document: str, length: int = CHUNK) -> None:
        self.document, self.length = document, length
        self.tokenizer = Tokenizer.from_str(document)
        self.size: int = self.tokenizer.get_vocab_size()
        end = self.tokenizer.token_to_id(END_TOKEN)
        if end is None:
            raise ValueError(f"the tokenizer has no token {END_TOKEN}")
        self.end = end
        self.tokenizer.enable_truncation(length)
        self.tokenizer.enable_padding(length=length, pad_id=self.end, pad_token=END_TOKEN)

    def ids(self, texts: Sequence[str]) -> Int[Tensor, "B L"]:
        """Return one chunk for each text; what does not fit is cut off."""
        return torch.tensor([found.ids for found in self.tokenizer.encode_batch(list(texts))])

    def ends(self, ids: Int[Tensor, "B L"]) -> Int[Tensor, " B"]:
        """Return where each chunk ends: the place of its first end token."""
        return (ids == self.end).int().argmax(dim=1)
