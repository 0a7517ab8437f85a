r"""Control networks kept as a change of the model they steer.

A ControlNet is a copy of half the U-Net that has learnt, so most of it need not be kept
twice.  Two ways are in use:

    control-LoRA   W = W_unet + U D      U and D thin (see `lora`); what is not kept is the U-Net's
    difference     W = W_unet + dW       of full size, but it follows every fine-tune

The hint's way in and the zero convolutions are new and are kept whole in both.  Put on a
U-Net, either gives a ControlNet (`controlnet`) that shares every tensor it did not change.

Source: Stability AI 2023, huggingface.co/stabilityai/control-lora; github.com/lllyasviel/
ControlNet, discussion 12, for the difference.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from weakref import WeakKeyDictionary

from torch import Tensor

from safelight.diffusion.control import ControlMismatch
from safelight.diffusion.controlnet import ControlNet, ControlNetConfig
from safelight.diffusion.tables import controlnet, ldm_unet, side
from safelight.diffusion.unet import UNet
from safelight.diffusion.weights import MisfitError, Shapes, assemble, exported

MARKERS = ("lora_controlnet", "difference")  # tensors that say what a file is
UP, DOWN, WEIGHT = ".up", ".down", ".weight"


@dataclass(frozen=True, eq=False)
class ControlChange:
    """What a file changes in a U-Net, and adds to it, to make a ControlNet."""

    tensors: Mapping[str, Tensor]  # by the original files' names
    difference: bool  # full tensors are to be added to the U-Net's, where it has them
    _made: "WeakKeyDictionary[UNet, ControlNet]" = field(
        default_factory=WeakKeyDictionary, init=False, repr=False
    )

    def on(self, base: object) -> ControlNet:
        """Return the ControlNet that it makes of a U-Net; made once for each.

        Raises:
            ControlMismatch: the denoiser is no U-Net, or the changes do not fit it.
        """
        if not isinstance(base, UNet):
            raise ControlMismatch(f"it changes a U-Net, and this is a {type(base).__name__}")
        if base not in self._made:
            self._made[base] = self._put_on(base)
        return self._made[base]

    def _put_on(self, base: UNet) -> ControlNet:
        """Change a copy of the U-Net's first half."""
        shapes: Shapes = {name: tuple(tensor.shape) for name, tensor in self.tensors.items()}
        channels = side(shapes, f"{controlnet.HINT}.0.weight", 1)
        unet = replace(base.config, channels_in=4)
        config = ControlNetConfig(unet, channels, controlnet.hint_widths(shapes))
        table = controlnet.table(config)
        given = exported(base, ldm_unet.table(base.config))
        given["input_blocks.0.0.weight"] = given["input_blocks.0.0.weight"][:, :4]
        modules = tuple(f"{module}." for module in table)
        half = {name: tensor for name, tensor in given.items() if name.startswith(modules)}
        try:
            return assemble(lambda: ControlNet(config), self._changed(half), table)
        except (MisfitError, RuntimeError) as error:
            raise ControlMismatch(f"its changes do not fit: {error}") from error

    def _changed(self, half: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the U-Net's tensors, changed, and those that are new."""
        like = next(iter(half.values()))
        changed = dict(half)
        for name, tensor in self.tensors.items():
            module = name.removesuffix(UP)
            if name in MARKERS or name.endswith(DOWN):
                continue
            if name.endswith(UP):
                weight = half.get(module + WEIGHT, like)
                product = tensor.flatten(1).float() @ self.tensors[module + DOWN].flatten(1).float()
                whole = weight.float() + product.reshape(weight.shape).to(weight.device)
                changed[module + WEIGHT] = whole.to(like.dtype)
            elif self.difference and name in half:
                changed[name] = (half[name].float() + tensor.to(like.device).float()).to(like.dtype)
            else:
                changed[name] = tensor.to(like.device, like.dtype)
        return changed
