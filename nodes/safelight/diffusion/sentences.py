r"""Sentences: how Stable Diffusion 3 and Flux read a prompt with T5.

T5 needs no chunks: a prompt is one sequence, ended by one token and padded to the least
length that the denoiser was trained with.  Weights move the vectors away from those of an
empty prompt as they do for CLIP (`tokens.py`):

    z = (z - z_empty) w + z_empty

What the towers heard is then joined.  Stable Diffusion 3 lays the vectors of both CLIPs side
by side, fills them up with zeros to T5's width, and puts T5's behind them:

    tokens = [CLIP-L, bigG, 0]  then  [T5]          pooled = [CLIP-L, bigG]

A CLIP that is not there counts as zeros beside the other.  Flux listens to T5 alone, with
CLIP-L's pooled vector beside it.

Symbols: L tokens, D token width, P pooled width.

Source: Esser et al. 2024 (arXiv:2403.03206), section 4 and figure 2; the lengths are those of
the published pipelines.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from safelight.diffusion.conditioning import Conditioning, Frame, Inputs, Listen
from safelight.diffusion.hearing import UnheardError
from safelight.diffusion.prompt import parts, segments
from safelight.diffusion.t5 import T5Encoder
from safelight.diffusion.texts import TextsError
from safelight.diffusion.tokens import Encoded
from safelight.diffusion.unigram import UnigramTokenizer, t5_tokenizer

CLIP_WIDTHS: Mapping[str, int] = {"l": 768, "g": 1280}  # of the published towers
SD3_LENGTH, FLUX_LENGTH = 77, 256  # tokens to which a short prompt is padded
SMALL_LENGTH = 40  # tokens that the small transformer reads: the first ones
USUAL_GUIDANCE = 3.5  # of Flux dev, when nothing is said


@dataclass(frozen=True, eq=False)
class T5Tower:
    """T5 with its vocabulary, which is looked for when the first prompt is read."""

    network: T5Encoder
    least: int  # tokens
    metadata: Mapping[str, str]
    folders: Sequence[Path] = ()
    padding: int = 0  # tokens of padding that every prompt gets

    @cached_property
    def tokenizer(self) -> UnigramTokenizer:
        """The vocabulary.

        Raises:
            TokenizerError: there is none, or it is damaged.
        """
        return t5_tokenizer(self.metadata, self.folders)

    def encode(self, network: T5Encoder, prompt: str) -> Encoded:
        """Read a prompt, weights applied.

        Raises:
            TokenizerError: there is no vocabulary, or it is damaged.
        """
        ids, weights = self.tokenized(prompt)
        nothing, _ = self.tokenized("", len(ids))
        both = torch.tensor([ids, nothing], device=network.token.weight.device)
        z, z_empty = network(both).float().chunk(2)  # 1 L D
        factors = torch.tensor(weights, device=z.device)[None, :, None]
        if (factors != 1).any():
            z = (z - z_empty) * factors + z_empty
        return Encoded(z, z.new_zeros(1, 0), z_empty)

    def tokenized(self, prompt: str, least: int = 0) -> tuple[list[int], list[float]]:
        """Return the ids of a prompt with a weight for each, ended and padded."""
        ids: list[int] = []
        weights: list[float] = []
        for segment in segments(prompt):
            found = self.tokenizer.encode(_without_mentions(segment.text))
            ids += found
            weights += [segment.weight] * len(found)
        ids.append(self.tokenizer.end)
        ids += [self.tokenizer.padding] * self.padding
        ids += [self.tokenizer.padding] * (max(least, self.least) - len(ids))
        return ids, weights + [1.0] * (len(ids) - len(weights))

    def around(self, network: T5Encoder) -> "T5Tower":
        """Read with another network."""
        return replace(self, network=network)

    def skipping(self, layers: int) -> "T5Tower":
        """Return the tower as it is: nobody trained on T5 with layers left out."""
        return self

    @property
    def word_width(self) -> None:
        """It is not taught new words: files of them are made for CLIP."""
        return None

    def knowing(self, words: Mapping[str, Tensor]) -> "T5Tower":
        """Return the tower as it is; it passes over mentions of learnt words."""
        return self


def join_sd3(heard: Mapping[str, Encoded]) -> Conditioning:
    """Join what Stable Diffusion 3's towers heard: "l", "g" and "t5", each optional.

    Raises:
        TextsError: there is no tower at all.
    """
    if not heard:
        raise TextsError(
            "this file of Stable Diffusion 3 holds no text encoder: open some with a loader of "
            "their own"
        )
    like = next(iter(heard.values())).tokens
    pooled = torch.cat([_pooled(heard, name, like) for name in CLIP_WIDTHS], dim=-1)
    if not CLIP_WIDTHS.keys() & heard.keys():
        return Conditioning(heard["t5"].tokens, pooled)
    clips = _side_by_side(heard)
    if "t5" not in heard:
        return Conditioning(clips, pooled)
    words = heard["t5"].tokens
    wider = F.pad(clips, (0, words.shape[-1] - clips.shape[-1]))
    return Conditioning(torch.cat([wider, words], dim=1), pooled)


def join_flux(heard: Mapping[str, Encoded]) -> Conditioning:
    """Join what Flux's towers heard: T5's tokens, CLIP-L's pooled vector."""
    return Conditioning(heard["t5"].tokens, heard["l"].pooled)


def hear_pooled(conditioning: Conditioning, frame: Frame) -> Inputs:
    """Take tokens and pooled vector: Stable Diffusion 3, and Flux without guidance.

    Raises:
        UnheardError: there is no pooled vector.
    """
    if conditioning.pooled is None:
        raise UnheardError(
            "this model wants a pooled vector beside the prompt, and this conditioning has none: "
            "encode the prompt with the text encoders of a model of its family"
        )
    return Inputs(conditioning.tokens, conditioning.pooled, counted=True)


def hear_beginning(conditioning: Conditioning, frame: Frame) -> Inputs:
    """Take the first tokens, and their mean for the pooled vector: the small transformer.

    So whatever was read by the text encoder of its sibling, a U-Net, can be told to it as is.
    """
    tokens = conditioning.tokens[:, :SMALL_LENGTH]
    return Inputs(tokens, tokens.mean(dim=1), counted=True)


def hear_guided(conditioning: Conditioning, frame: Frame) -> Inputs:
    """Take the guidance scale too: Flux dev.

    Raises:
        UnheardError: there is no pooled vector.
    """
    heard = hear_pooled(conditioning, frame)
    said = conditioning.guidance
    scale = torch.tensor([USUAL_GUIDANCE if said is None else said])
    return replace(heard, guidance=scale)


def hear_beside(shown: int, mask: int = 0) -> Listen:
    """Return what Flux hears that also sees channels beside the latent: a picture, a mask.

    If none were said the picture is nothing, and all of it is to be painted.
    """

    def hear(conditioning: Conditioning, frame: Frame) -> Inputs:
        beside = conditioning.beside
        if beside is None:
            nothing = torch.zeros(1, shown, frame.height, frame.width)
            beside = torch.cat([nothing, torch.ones(1, mask, frame.height, frame.width)], dim=1)
        return replace(hear_guided(conditioning, frame), beside=beside)

    return hear


def _without_mentions(text: str) -> str:
    """Return a text without the words that only CLIP was taught."""
    return "".join(part if isinstance(part, str) else part.comma for part in parts(text))


def _side_by_side(heard: Mapping[str, Encoded]) -> Float[Tensor, "1 L D"]:
    """Lay the vectors of both CLIPs side by side, up to the end of the shorter prompt."""
    tokens = {name: heard[name].tokens for name in CLIP_WIDTHS if name in heard}
    length = min(z.shape[1] for z in tokens.values())
    like = next(iter(tokens.values()))
    parts = [
        tokens[name][:, :length] if name in tokens else like.new_zeros(1, length, width)
        for name, width in CLIP_WIDTHS.items()
    ]
    return torch.cat(parts, dim=-1)


def _pooled(heard: Mapping[str, Encoded], name: str, like: Tensor) -> Float[Tensor, "1 P"]:
    """Return a tower's pooled vector, or zeros for one that is not there."""
    return heard[name].pooled if name in heard else like.new_zeros(1, CLIP_WIDTHS[name])
