r"""ControlNet: a trainable copy of half the U-Net that sees where things shall be.

Words say what is in a picture, hardly where.  A ControlNet is shown a hint beside the words:
a picture of edges, depth or a pose.  It begins as a copy of the U-Net's way down and of its
bottom (theta below), and every feature map of it passes through a 1 x 1 convolution Z whose
weights and bias begin at zero:

    g_0 = stem(z) + Z_0(hint features)       the hint enters beside the noisy latent
    g_{i+1} = block_i(g_i, t, c; theta_c)    the copy, trained
    r_i = Z_i(g_i)                           residuals, 0 before the first step
    y = U-Net(z, t, c, residuals=r)          the U-Net, frozen

Before training r = 0, so the U-Net draws exactly as it did; no noise from fresh weights ever
harms it.  Yet the zeros learn: for r = W g + b

    dr/dW = g != 0,    dr/dg = W = 0

so the first step moves W, the second reaches the copy behind it.  The denoising loss is the
usual one; nothing says what an edge is, and the network finds it out because the hint helps.

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

Of Stable Diffusion 1.5's U-Net, 860 million numbers, a ControlNet has 2/5 too: 361 million.

Symbols: B batch, z latent under noise (C channels, h x w pixels); t time, c prompt (L tokens
of width D); H x W pixels of the hint (8 h x 8 w), K its channels.

Source: Zhang et al. 2023 (arXiv:2302.05543), sections 3.1 to 3.3 and equation 2.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from safelight.diffusion.control import Controller, ControlMismatch, Question, Residuals
from safelight.diffusion.unet import Half, UNet, UNetConfig


@dataclass(frozen=True, slots=True)
class ControlNetConfig:
    """The sizes of a ControlNet: those of the U-Net it is a copy of, and of the hint's way in."""

    unet: UNetConfig
    hint_channels: int = 3
    hint_widths: tuple[int, ...] = (16, 32, 96, 256)


class HintEncoder(nn.Module):
    """The hint's way in: eight convolutions, three of which halve it, to the latent's size."""

    def __init__(self, channels: int, widths: Sequence[int], width: int) -> None:
        super().__init__()
        first = nn.Conv2d(channels, widths[0], 3, padding=1)
        self.convs = nn.ModuleList([first])
        for before, after in pairwise(widths):
            self.convs.append(nn.Conv2d(before, before, 3, padding=1))
            self.convs.append(nn.Conv2d(before, after, 3, stride=2, padding=1))
        self.out = zeroed(nn.Conv2d(widths[-1], width, 3, padding=1))

    def forward(self, hint: Float[Tensor, "B K H W"]) -> Float[Tensor, "B C h w"]:
        """Look at a hint in 0..1."""
        for conv in self.convs:
            hint = F.silu(conv(hint))
        return self.out(hint)


class ControlNet(Half, Controller):
    """A hint, and all that the U-Net is asked -> residuals for the U-Net."""

    def __init__(self, config: ControlNetConfig) -> None:
        super().__init__(config.unet)
        self.sizes = config
        width, deepest = config.unet.width, config.unet.widths[-1]
        self.hint = HintEncoder(config.hint_channels, config.hint_widths, width)
        self.zeros = nn.ModuleList(zeroed(nn.Conv2d(kept, kept, 1)) for kept in config.unet.skips)
        self.zero_middle = zeroed(nn.Conv2d(deepest, deepest, 1))

    def forward(
        self,
        z: Float[Tensor, "B C h w"],
        timestep: Float[Tensor, " B"],
        context: Float[Tensor, "B L D"],
        hint: Float[Tensor, "B K H W"],
        vector: Float[Tensor, "B Y"] | None = None,
    ) -> Residuals:
        """Return what to add to each kept feature map and to the middle.

        `z` and `timestep` are the U-Net's own, `hint` is in 0..1.
        """
        seen = self.stem(z) + self.hint(hint)
        return self.residuals(seen, self.clock(timestep, vector), context)

    def answer(self, question: Question) -> Residuals:
        """Return the residuals."""
        q = question
        return self(q.z, q.timestep, q.tokens, q.hint, q.vector)

    def on(self, base: object) -> "ControlNet":
        """Return itself, if the denoiser is one it may have been copied from.

        Raises:
            ControlMismatch: it is not.
        """
        matching(self.config, base)
        return self

    def residuals(
        self,
        seen: Float[Tensor, "B C h w"],
        time: Float[Tensor, "B T"],
        context: Float[Tensor, "B L D"],
    ) -> Residuals:
        """Walk down, and let every map out through its zero convolution."""
        kept = self.descend(seen, time, context)
        middle = self.middle(kept[-1], time, context)
        leaving = (zero(h) for zero, h in zip(self.zeros, kept, strict=True))
        return Residuals(tuple(leaving), self.zero_middle(middle))


def copied(unet: UNet, config: ControlNetConfig | None = None) -> ControlNet:
    """Return a fresh ControlNet: a copy of the U-Net's first half, with zeros all around."""
    network = ControlNet(config or ControlNetConfig(unet.config))
    own, given = network.state_dict(), unet.state_dict()
    network.load_state_dict({name: given.get(name, tensor) for name, tensor in own.items()})
    return network


def matching(config: UNetConfig, base: object) -> None:
    """Compare the sizes of a control network's U-Net with those of a denoiser.

    What the denoiser sees beside the latent (for inpainting) is none of a control's business.

    Raises:
        ControlMismatch: they differ, so that its residuals would not fit.
    """
    if not isinstance(base, UNet):
        raise ControlMismatch(f"it steers a U-Net, and this is a {type(base).__name__}")
    theirs = base.config
    differing = [
        f"{name.replace('_', ' ')} {getattr(config, name)} against {getattr(theirs, name)}"
        for name in ("width", "multipliers", "blocks", "context_width", "vector_width")
        if getattr(config, name) != getattr(theirs, name)
    ]
    if differing:
        raise ControlMismatch(f"the sizes differ ({', '.join(differing)})")


def zeroed(conv: nn.Conv2d) -> nn.Conv2d:
    """Set a convolution to zero: it lets nothing through until it has learnt what."""
    nn.init.zeros_(conv.weight)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv
