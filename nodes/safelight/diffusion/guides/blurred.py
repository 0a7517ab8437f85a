r"""Self-attention guidance: ask about a picture whose details were blurred away.

    m  = [sum over pixels n of A(n, k) > 1]        what the picture itself looks at most
    U~ = m blur(U) + (1 - m) U                     U without the details there
    x~ = a U~ + (x - a U)                          under the same noise
    D' = D + s (U~ - D_u(x~))

A is the self-attention in the middle of the U-Net, averaged over heads: of N pixels each is
looked at with weight 1 on average, those with more are what the picture is about.  What the
network would put back into the blurred picture is detail, and D is pushed that way.

Symbols: D_u the denoiser told the negative, U its guess at x, D what guidance made of it, a
the picture's share in x, s scale; N pixels n, k of the middle; B batch, C h w latent axes.

Source: Hong et al. 2022 (arXiv:2210.00939), algorithm 1.
"""

from dataclasses import replace

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from safelight.diffusion.change import CannotChange, changed
from safelight.diffusion.changes.attention import Witness, witnessed
from safelight.diffusion.denoiser import Told
from safelight.diffusion.guidance import Guided, Look

BLUR_SIDE = 9  # latent pixels along the side of the blur
LEAST = 4  # latents of so many pixels a side are too small to be blurred


def blur_guided(denoise: Guided, scale: float, blur: float) -> Guided:
    """Push towards the details that a blur of deviation `blur` takes away.

    The attention is overheard while the negative is asked; only x~ costs an evaluation.

    Raises:
        CannotChange: the negative is no U-Net that has been told something.
    """
    positive, negative = denoise.positive, denoise.negative
    if not isinstance(negative, Told) or not isinstance(positive, Told):
        raise CannotChange("only a network that has been told something can be overheard")
    if scale == 0:
        return denoise
    witness = Witness()
    listening = replace(negative.model, network=changed(negative.model.network, witnessed(witness)))

    def push(look: Look, guess: Tensor) -> Tensor:
        map_ = witness.last(look.x.shape[0])
        height, width = look.x.shape[2:]
        if min(height, width) <= LEAST or map_ is None or not grid(map_.shape[-1], height, width):
            return guess
        blurred = blurred_where(look.unwanted, map_, blur)
        share = negative.model.schedule.path.picture(look.sigma)
        seen = share * blurred + (look.x - share * look.unwanted)
        return guess + scale * (blurred - negative(seen, look.sigma))

    told = replace(negative, model=listening)
    same = positive.model is negative.model
    return replace(
        denoise,
        positive=replace(positive, model=listening) if same else positive,
        negative=told,
        after=(*denoise.after, push),
        always=True,
    )


def blurred_where(
    guess: Float[Tensor, "B C h w"], attention: Float[Tensor, "B heads N N"], deviation: float
) -> Float[Tensor, "B C h w"]:
    """Blur a guess where its own attention looks more than on average.

    Raises:
        ValueError: the attention is of another picture.
    """
    looked = attention.mean(dim=1).sum(dim=1) > 1  # B N
    height, width = guess.shape[2:]
    rows_columns = grid(looked.shape[1], height, width)
    if rows_columns is None:
        raise ValueError(f"no halving of {width}x{height} has {looked.shape[1]} pixels")
    mask = looked.reshape(-1, 1, *rows_columns).to(guess.dtype)
    mask = F.interpolate(mask, size=(height, width), mode="nearest")
    return mask * softened(guess, deviation) + (1 - mask) * guess


def grid(pixels: int, height: int, width: int) -> tuple[int, int] | None:
    """Return the sides of a map of so many pixels that halved h x w a few times, if one has."""
    rows, columns = height, width
    while rows * columns > pixels:
        rows, columns = -(-rows // 2), -(-columns // 2)
    return (rows, columns) if rows * columns == pixels else None


def softened(x: Float[Tensor, "B C h w"], deviation: float) -> Float[Tensor, "B C h w"]:
    """Blur by a Gauss curve, nine pixels wide, with mirrored edges."""
    if deviation == 0:
        return x
    places = torch.arange(BLUR_SIDE, device=x.device, dtype=x.dtype) - BLUR_SIDE // 2
    curve = torch.exp(-0.5 * (places / deviation) ** 2)
    curve = curve / curve.sum()
    channels = x.shape[1]
    kernel = (curve[:, None] * curve).expand(channels, 1, BLUR_SIDE, BLUR_SIDE)
    edge = BLUR_SIDE // 2
    return F.conv2d(F.pad(x, (edge,) * 4, mode="reflect"), kernel, groups=channels)
