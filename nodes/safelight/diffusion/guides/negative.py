r"""The negative prompt within attention: for models that take no guidance outside.

Models distilled to a few steps are walked at w = 1 and ask no negative.  It can still be said
where words are heard, in each cross-attention, which then hears both prompts:

    Z  = Z+ + s (Z+ - Z-)                      away from what the negative says
    Z  = Z min(1, tau |Z+|_1 / |Z|_1)          but not further than tau times
    out = a Z + (1 - a) Z+                     and mixed with what was heard

|.|_1 is the sum of sizes over the numbers of one pixel.  The network runs once; only what is
heard of words is computed twice.

Symbols: Z+ Z- what a cross-attention hears of the positive and of the negative; s scale (0
says nothing), tau bound, a mix.

Source: Chen et al. 2025 (arXiv:2505.21179), section 4 (its scale is s + 1).
"""

from dataclasses import replace

from jaxtyping import Float
from torch import Tensor, nn

from safelight.diffusion.attention import Attention, attend
from safelight.diffusion.change import CannotChange, Change, Moment, changed, parts
from safelight.diffusion.conditioning import Frame, expanded
from safelight.diffusion.denoiser import Told
from safelight.diffusion.guidance import Guided
from safelight.diffusion.spatial import TransformerLayer
from safelight.diffusion.variant import variant

NEARLY_NOTHING = 1e-8


def attention_guided(denoise: Guided, scale: float, bound: float = 2.5, mix: float = 0.5) -> Guided:
    """Say the negative in every cross-attention that hears the positive.

    Raises:
        CannotChange: a side is no U-Net that has been told something.
    """
    positive, negative = denoise.positive, denoise.negative
    if not isinstance(positive, Told) or not isinstance(negative, Told):
        raise CannotChange("only a network that has been told something can hear a negative")
    if scale == 0:
        return denoise
    heard = negative.model.listen(negative.conditioning, Frame(0, 0, wanted=False)).tokens
    said = _saying(heard, (scale, bound, mix))
    model = replace(positive.model, network=changed(positive.model.network, said))
    return replace(denoise, positive=replace(positive, model=model))


class TwoPrompts(nn.Module):
    """A cross-attention that hears the negative too."""

    def __init__(
        self, heard: Attention, negative: Float[Tensor, "B L D"], settings: tuple[float, ...]
    ) -> None:
        super().__init__()
        self.heard = heard
        self.negative = negative
        self.settings = settings

    def forward(
        self, x: Float[Tensor, "B N C"], context: Float[Tensor, "B L D"]
    ) -> Float[Tensor, "B N C"]:
        """Return what is heard, led away from the negative."""
        scale, bound, mix = self.settings
        other = expanded(self.negative.to(context), x.shape[0])
        ours, theirs = self._mixed(x, context), self._mixed(x, other)
        led = ours + scale * (ours - theirs)
        length = led.abs().sum(dim=-1, keepdim=True).clamp(min=NEARLY_NOTHING)
        led = led * (bound * ours.abs().sum(dim=-1, keepdim=True) / length).clamp(max=1)
        return self.heard.out(mix * led + (1 - mix) * ours)

    def _mixed(self, x: Float[Tensor, "B N C"], said: Float[Tensor, "B L D"]) -> Tensor:
        """Return Z, what attention makes of words before it is projected back."""
        heard = self.heard
        return attend(heard.query(x), heard.key(said), heard.value(said), heard.heads)


def _saying(negative: Tensor, settings: tuple[float, ...]) -> Change:
    def say(network: nn.Module, moment: Moment) -> nn.Module:
        layers = list(parts(network, TransformerLayer))
        if not layers:
            raise CannotChange(f"{type(network).__name__} has no cross-attention to words")
        told = {
            f"{path}.to_prompt": TwoPrompts(layer.to_prompt, negative, settings)
            for path, layer in layers
        }
        return variant(network, told)

    return say
