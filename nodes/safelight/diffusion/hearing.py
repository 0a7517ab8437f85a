r"""Hearing: what the towers read, joined, and what a U-Net hears of it.

Stable Diffusion XL is told each picture's sizes as it is told the time, each number by its
clock hands, so that training could keep small and cut pictures without drawing like them:

    base      y = [pooled, e(height), e(width), e(top), e(left), e(height'), e(width')]
    refiner   y = [pooled, e(height), e(width), e(top), e(left), e(score)]

with the size before scaling, the corner of the cut, and the size asked for or a score for
beauty.  Models for inpainting get their picture as channels beside the noisy latent:

    z = [latent, mask, latent of the picture with the masked part grey]

Symbols: B batch, D token width, P pooled width, Y width of y, h x w latent pixels.

Source: Podell et al. 2023 (arXiv:2307.01952), section 2.2 and table 1; Rombach et al. 2022
(arXiv:2112.10752), section 4.5.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from safelight.diffusion.conditioning import Conditioning, Frame, Inputs, Size, hear_tokens
from safelight.diffusion.embedding import sinusoids
from safelight.diffusion.latent import SD1, SDXL
from safelight.diffusion.tokens import Encoded

HANDS = 256  # clock hands for each number
BEAUTIFUL, UGLY = 6.0, 2.5  # scores for what is wanted and what is not, as the refiner is used
# A mid-grey picture after the autoencoder of version 1, scaled: what a hidden picture is.
GREY = (0.8223, -0.6876, 0.6364, 0.1380)


class UnheardError(ValueError):
    """A conditioning lacks what the model wants to hear: it was made for another family."""


def join_xl(heard: Mapping[str, Encoded]) -> Conditioning:
    """Lay the vectors of both towers side by side; the pooled one is bigG's.

    The shorter prompt is followed by chunks without words.
    """
    small, large = heard["l"], heard["g"]
    length = max(small.tokens.shape[1], large.tokens.shape[1])
    tokens = torch.cat([_lengthened(small, length), _lengthened(large, length)], dim=-1)
    return Conditioning(tokens, large.pooled)


def join_refiner(heard: Mapping[str, Encoded]) -> Conditioning:
    """Take what bigG heard, and its pooled vector."""
    return Conditioning(heard["g"].tokens, heard["g"].pooled)


def hear_xl(conditioning: Conditioning, frame: Frame) -> Inputs:
    """Tell the pooled prompt and all six sizes.

    Raises:
        UnheardError: there is no pooled vector.
    """
    return Inputs(conditioning.tokens, _vector(conditioning, _size(conditioning, frame).numbers))


def hear_refiner(conditioning: Conditioning, frame: Frame) -> Inputs:
    """Tell the pooled prompt, size and corner, and a score.

    Raises:
        UnheardError: there is no pooled vector.
    """
    usual = BEAUTIFUL if frame.wanted else UGLY
    score = usual if conditioning.score is None else conditioning.score
    numbers = (*_size(conditioning, frame).numbers[:4], score)
    return Inputs(conditioning.tokens, _vector(conditioning, numbers))


def hear_inpainting(conditioning: Conditioning, frame: Frame) -> Inputs:
    """Tell the prompt, with the channels beside the latent."""
    return replace(hear_tokens(conditioning, frame), beside=_beside(conditioning, frame))


def hear_inpainting_xl(conditioning: Conditioning, frame: Frame) -> Inputs:
    """Tell what XL hears, with the channels beside the latent.

    Raises:
        UnheardError: there is no pooled vector.
    """
    return replace(hear_xl(conditioning, frame), beside=_beside(conditioning, frame))


def hear_editing(conditioning: Conditioning, frame: Frame) -> Inputs:
    """Tell the prompt, with the picture to be edited beside the latent; without one, zeros.

    It is shown as the autoencoder gives it, not in the scale of diffusion.
    """
    nothing = torch.zeros(1, SD1.channels, frame.height, frame.width)
    beside = nothing if conditioning.beside is None else conditioning.beside
    return replace(hear_tokens(conditioning, frame), beside=beside)


def _lengthened(encoded: Encoded, length: int) -> Float[Tensor, "1 {length} D"]:
    """Add chunks without words until there are `length` vectors."""
    missing = (length - encoded.tokens.shape[1]) // encoded.empty.shape[1]
    return torch.cat([encoded.tokens, *[encoded.empty] * missing], dim=1)


def _size(conditioning: Conditioning, frame: Frame) -> Size:
    """Return the size that was said, or else the latent's own, in pixels of the picture."""
    factor = SDXL.downscale
    return conditioning.size or Size(frame.height * factor, frame.width * factor)


def _vector(conditioning: Conditioning, numbers: Sequence[float]) -> Float[Tensor, "B Y"]:
    """Return y: the pooled vector, then each number as clock hands."""
    pooled = conditioning.pooled
    if pooled is None:
        raise UnheardError(
            "Stable Diffusion XL wants a pooled vector beside the prompt, and this conditioning "
            "has none: encode the prompt with the text encoders of an XL model"
        )
    said = torch.tensor(numbers, dtype=torch.float32, device=pooled.device)
    hands = sinusoids(said, HANDS).flatten()[None].expand(len(pooled), -1)
    return torch.cat([pooled.float(), hands], dim=1)


def _beside(conditioning: Conditioning, frame: Frame) -> Float[Tensor, "B 5 h w"]:
    """Return the channels beside the latent; if none were said, all of a grey picture."""
    if conditioning.beside is not None:
        return conditioning.beside
    grey = torch.tensor((1.0, *GREY)).reshape(1, 5, 1, 1)
    return grey.expand(-1, -1, frame.height, frame.width)
