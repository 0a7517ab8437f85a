r"""The negative prompt within attention: for models that take no guidance outside.

Models distilled to a few steps are walked at w = 1 and ask no negative.  It can still be said
where words are heard, in each attention to words, which then hears both prompts and is led
away from the second (`leading`):

    cross-attention   Z+ = attend(x, words+),  Z- = attend(x, words-)
    joint attention   the same, for the patches' part; words- have a stream of their own, which
                      is refined beside as words+ are

The network runs once; only what is heard of words is computed twice, and a second stream of
words.  Both streams are steered by the pooled vector of the positive.

Symbols: Z+ Z- what the attention hears of the positive and of the negative.

Source: Chen et al. 2025 (arXiv:2505.21179), section 4.
"""

from dataclasses import replace

from jaxtyping import Float
from torch import Tensor, nn

from safelight.diffusion.attention import Attention, attend
from safelight.diffusion.change import CannotChange, Change, Moment, changed, parts
from safelight.diffusion.conditioning import Frame, expanded
from safelight.diffusion.denoiser import Told
from safelight.diffusion.flux import Flux
from safelight.diffusion.guidance import Guided
from safelight.diffusion.guides.beside import beside
from safelight.diffusion.guides.leading import Leading
from safelight.diffusion.mmdit import MMDiT
from safelight.diffusion.spatial import TransformerLayer
from safelight.diffusion.variant import variant


def attention_guided(denoise: Guided, scale: float, bound: float = 2.5, mix: float = 0.5) -> Guided:
    """Say the negative in every attention that hears the positive.

    Raises:
        CannotChange: a side is no network that has been told words.
    """
    positive, negative = denoise.positive, denoise.negative
    if not isinstance(positive, Told) or not isinstance(negative, Told):
        raise CannotChange("only a network that has been told something can hear a negative")
    if scale == 0:
        return denoise
    heard = negative.model.listen(negative.conditioning, Frame(0, 0, wanted=False)).tokens
    said = saying(heard, Leading(scale, bound, mix))
    model = replace(positive.model, network=changed(positive.model.network, said))
    return replace(denoise, positive=replace(positive, model=model))


class TwoPrompts(nn.Module):
    """A cross-attention that hears the negative too."""

    def __init__(
        self, heard: Attention, negative: Float[Tensor, "B L D"], leading: Leading
    ) -> None:
        super().__init__()
        self.heard = heard
        self.negative = negative
        self.leading = leading

    def forward(
        self, x: Float[Tensor, "B N C"], context: Float[Tensor, "B L D"]
    ) -> Float[Tensor, "B N C"]:
        """Return what is heard, led away from the negative."""
        other = expanded(self.negative.to(context), x.shape[0])
        led = self.leading.away(self._mixed(x, context), self._mixed(x, other))
        return self.heard.out(led)

    def _mixed(self, x: Float[Tensor, "B N C"], said: Float[Tensor, "B L D"]) -> Tensor:
        """Return Z, what attention makes of words before it is projected back."""
        heard = self.heard
        return attend(heard.query(x), heard.key(said), heard.value(said), heard.heads)


def saying(negative: Tensor, leading: Leading) -> Change:
    """Return a change that says a negative wherever a network hears words.

    At use it raises `CannotChange` for a network that hears none.
    """

    def say(network: nn.Module, moment: Moment) -> nn.Module:
        if isinstance(network, MMDiT | Flux):
            return beside(network, moment, negative, leading)
        layers = list(parts(network, TransformerLayer))
        if not layers:
            raise CannotChange(f"{type(network).__name__} has no attention to words")
        told = {
            f"{path}.to_prompt": TwoPrompts(layer.to_prompt, negative, leading)
            for path, layer in layers
        }
        return variant(network, told)

    return say
