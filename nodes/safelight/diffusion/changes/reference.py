r"""Reference-only: pixels that also listen to the pixels of another picture.

In self-attention every pixel asks all others of its picture; what they answer carries its look.
Let it ask those of a reference too, as the same network sees it at the same noise, and the look
comes along, with nothing trained:

    r_t = sigma_t n + r                       the reference, as noisy as the picture is now
    h_i = what enters self-attention i        in a run of the network on r_t
    out = attend(Q_x, [K_x ; K_h], [V_x ; V_h]) W_o,     scores of K_h plus ln(weight)

A weight of 1 lets both pictures be heard alike, 0 is the network itself.  (Were the reference
the picture itself, every key would be there twice with the same score, which changes nothing.)

The network runs once more at each step, on the reference alone.

Symbols: r clean reference, n noise of a seed, x picture, Q K V its queries, keys, values, h the
reference's pixels, t timestep, W_o projection back.

Source: L. Zhang, "Reference-only control", discussion 1236 of github.com/Mikubill/
sd-webui-controlnet (2023); cf. Cao et al. 2023 (arXiv:2304.08465), section 4.1.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from safelight.diffusion.attention import Attention, attend
from safelight.diffusion.change import CannotChange, Moment, parts
from safelight.diffusion.conditioning import expanded
from safelight.diffusion.denoiser import LatentModel, Told
from safelight.diffusion.noise import initial
from safelight.diffusion.spatial import TransformerLayer
from safelight.diffusion.unet import UNet
from safelight.diffusion.variant import variant


class Remembering(nn.Module):
    """Self-attention that keeps what entered it."""

    def __init__(self, attention: nn.Module, kept: dict[str, Tensor], path: str) -> None:
        super().__init__()
        self.attention = attention
        self.kept, self.path = kept, path

    def forward(self, x: Float[Tensor, "B N C"]) -> Float[Tensor, "B N C"]:
        """Keep x, and attend."""
        self.kept[self.path] = x
        heard: Tensor = self.attention(x)
        return heard


class Recalling(nn.Module):
    """Self-attention that also listens to the pixels of another picture."""

    def __init__(self, attention: Attention, others: Float[Tensor, "1 M C"], weight: float) -> None:
        super().__init__()
        self.attention = attention
        self.others, self.weight = others, weight

    def forward(self, x: Float[Tensor, "B N C"]) -> Float[Tensor, "B N C"]:
        """Let every pixel ask both pictures."""
        own = self.attention
        heard = torch.cat([x, expanded(self.others.to(x), len(x))], dim=1)  # B N+M C
        louder = x.new_zeros(heard.shape[1])
        louder[x.shape[1] :] = math.log(self.weight)
        bias = louder.expand(1, own.heads, x.shape[1], -1)
        mixed = attend(own.query(x), own.key(heard), own.value(heard), own.heads, bias=bias)
        return own.out(mixed)


@dataclass(frozen=True, eq=False)
class Reference:
    """The change that lets a network look at a reference.

    `told` is a model of the network's family, told what the reference shows; only how it listens
    and its schedule are used, for the network itself is handed in.
    """

    told: Told
    latent: Float[Tensor, "1 C h w"]  # in the scale of diffusion
    weight: float
    seed: int

    def __call__(self, network: nn.Module, moment: Moment) -> nn.Module:
        """Return the network as it looks at the reference at this moment.

        Raises:
            CannotChange: it is no U-Net, or its self-attention is altered already.
        """
        layers = self_attentions(network)
        kept: dict[str, Tensor] = {}
        remembering = variant(
            network, {path: Remembering(part, kept, path) for path, part in layers.items()}
        )
        self._look(remembering, moment)
        recalling = {path: Recalling(layers[path], kept[path], self.weight) for path in layers}
        return variant(network, recalling)

    def _look(self, network: nn.Module, moment: Moment) -> None:
        """Run the network on the reference, as noisy as the picture is now."""
        weight = next(network.parameters())
        schedule = self.told.model.schedule
        sigma = schedule.sigma(moment.timestep.flatten()[0].cpu()).float()
        noise = initial(self.seed, tuple(self.latent.shape))
        x = schedule.path.noised(self.latent, noise, sigma)
        model = LatentModel(
            network,
            schedule,
            self.told.model.prediction,
            weight.dtype,
            self.told.model.listen,
            reading=self.told.model.reading,
        )
        x, sigma = x.to(weight.device, torch.float32), sigma.to(weight.device)
        Told(model, self.told.conditioning)(x, sigma)


def self_attentions(network: nn.Module) -> dict[str, Attention]:
    """Return the attentions of pixels to pixels by path.

    Raises:
        CannotChange: the network is no U-Net, or they have been altered.
    """
    if not isinstance(network, UNet):
        raise CannotChange(f"{type(network).__name__} is no U-Net, which a reference is for")
    found: dict[str, Attention] = {}
    for path, _ in parts(network, TransformerLayer):
        attention = network.get_submodule(f"{path}.to_pixels")
        if not isinstance(attention, Attention):
            kind = type(attention).__name__
            raise CannotChange(f"its attention to pixels is altered already ({kind})")
        found[f"{path}.to_pixels"] = attention
    return found
