r"""ControlNets of Stable Diffusion 3: some of the transformer's blocks, copied.

Without a U there are no skips to add to.  The copy has fewer blocks than the transformer, and
each of its maps goes, through a matrix that began at zero, to several blocks in a row:

    x_0 = patches(z) + places + Z(patches of the hint)      the hint is a latent, too
    words_{i+1}, x_{i+1} = block_i(words_i, x_i, t)         the copy, trained
    r_i = Z_i x_{i+1}
    transformer:  x = block_j(x) + r_{floor(j n / depth)}   n residuals for depth blocks

The autoencoder makes a latent of the hint, which is scaled but not shifted, and the copy is
told zeros in place of the pooled prompt: so its authors trained it.

Symbols: B batch, C channels, H x W latent pixels, N patches, L words, D width.

Source: Zhang et al. 2023 (arXiv:2302.05543); Peebles & Xie 2023 carried over by Chen et al.
2024 (arXiv:2401.05252), section 2.3; InstantX 2024, huggingface.co/InstantX/SD3-Controlnet-Canny.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from safelight.diffusion.control import Controller, ControlMismatch, Question, Residuals
from safelight.diffusion.dit import Patches, whole_patches
from safelight.diffusion.mmdit import JointBlock, MMDiT, MMDiTConfig, Reception


class SD3ControlNet(Reception, Controller):
    """A hint's latent, and all that the transformer is asked -> residuals for its blocks."""

    def __init__(self, config: MMDiTConfig) -> None:
        super().__init__(config)
        width = config.width
        self.blocks = nn.ModuleList(
            JointBlock(config, doubled=i < config.doubled) for i in range(config.depth)
        )
        self.hint = Patches(config.channels, config.patch, width)
        self.zeros = nn.ModuleList(nn.Linear(width, width) for _ in range(config.depth))
        for part in (self.hint.project, *self.zeros):
            nn.init.zeros_(part.get_parameter("weight"))
            nn.init.zeros_(part.get_parameter("bias"))

    def forward(
        self,
        x: Float[Tensor, "B C H W"],
        time: Float[Tensor, " B"],
        context: Float[Tensor, "B L D_c"],
        pooled: Float[Tensor, "B P"],
        hint: Float[Tensor, "B C H W"],
    ) -> Residuals:
        """Return what to add after blocks, in order."""
        tokens, _ = self.placed(x)
        tokens = tokens + self.hint(whole_patches(hint, self.config.patch))  # B N D
        condition = self.time(time) + self.pooled(pooled)
        words = self.read(context)
        leaving: list[Tensor] = []
        for block, zero in zip(self.blocks, self.zeros, strict=True):
            words, tokens = block(words, tokens, condition)
            leaving.append(zero(tokens))
        return Residuals(passing=tuple(leaving))

    def answer(self, question: Question) -> Residuals:
        """Return the residuals; the pooled prompt is not told."""
        q = question
        silent = torch.zeros(len(q.z), self.config.pooled_width, dtype=q.z.dtype, device=q.z.device)
        return self(q.z, q.timestep, q.tokens, silent, q.hint)

    def on(self, base: object) -> "SD3ControlNet":
        """Return itself, if the denoiser is a transformer of its sizes.

        Raises:
            ControlMismatch: it is not.
        """
        if not isinstance(base, MMDiT):
            kind = type(base).__name__
            raise ControlMismatch(f"it steers a transformer of version 3, and this is a {kind}")
        ours, theirs = self.config, base.config
        differing = [
            f"{name} {getattr(ours, name)} against {getattr(theirs, name)}"
            for name in ("channels", "patch", "width")
            if getattr(ours, name) != getattr(theirs, name)
        ]
        if differing:
            raise ControlMismatch(f"the sizes differ ({', '.join(differing)})")
        return self
