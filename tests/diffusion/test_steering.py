"""What steering means: the laws of controls, on a small U-Net."""

import pytest
import torch
from tests.diffusion.test_controlnet import SMALL, XL, made, unet
from torch import Tensor

from safelight.diffusion.conditioning import Conditioning
from safelight.diffusion.control import Control, ControlMismatch
from safelight.diffusion.controlnet import copied
from safelight.diffusion.denoiser import LatentModel
from safelight.diffusion.guidance import guided
from safelight.diffusion.region import Box, Region
from safelight.diffusion.schedule import NoiseSchedule, scaled_linear
from safelight.diffusion.unet import UNet


def model(base: UNet) -> LatentModel:
    """A small model of version 1."""
    return LatentModel(base, NoiseSchedule.of(scaled_linear()), "eps", family="Stable Diffusion 1")


@torch.no_grad()
def guess(base: UNet, *controls: Control) -> Tensor:
    """What is guessed of a latent of 8 x 16 pixels, guided, with these controls."""
    generator = torch.Generator().manual_seed(1)
    x, wanted, unwanted = (
        torch.randn(shape, generator=generator) for shape in ((2, 4, 8, 16), (1, 5, 12), (1, 5, 12))
    )
    said = Conditioning(wanted, control=controls)
    other = Conditioning(unwanted, control=tuple(one for one in controls if not one.shared))
    asked = model(base)
    told = asked.told(said), asked.told(other, wanted=False)
    return guided(*told, 3.0)(x, torch.tensor(2.0))


@torch.no_grad()
def said_of_area(base: UNet, control: Control, region: Region) -> Tensor:
    """What is guessed of a latent when something is said of an area only."""
    generator = torch.Generator().manual_seed(1)
    x, tokens = (torch.randn(*shape, generator=generator) for shape in ((1, 4, 8, 16), (1, 5, 12)))
    said = Conditioning(tokens, control=(control,), region=region)
    return model(base).told(said)(x, torch.tensor(2.0))


HINT = torch.rand(1, 3, 64, 128, generator=torch.Generator().manual_seed(2))


def test_strength_nought_changes_no_bit() -> None:
    """The control network is not even asked."""
    base, network = unet(SMALL), made(SMALL)
    assert guess(base, Control(network, HINT, strength=0.0)).equal(guess(base))
    assert not guess(base, Control(network, HINT)).allclose(guess(base))


def test_a_fresh_copy_changes_nothing() -> None:
    """Its zero convolutions answer with zeros until they have learnt."""
    base = unet(SMALL)
    fresh = copied(base)
    assert fresh.stem.weight.equal(base.stem.weight)
    torch.testing.assert_close(guess(base, Control(fresh, HINT)), guess(base))


def test_a_control_counts_only_in_its_span() -> None:
    """Sigma 2 lies in the first half of the walk."""
    base, network = unet(SMALL), made(SMALL)
    whole = guess(base, Control(network, HINT))
    assert guess(base, Control(network, HINT, end=0.5)).equal(whole)
    assert guess(base, Control(network, HINT, start=0.5)).equal(guess(base))


def test_masks_say_where_a_control_counts() -> None:
    """A white mask is none, a black one no control; half of one lies between."""
    base, network = unet(SMALL), made(SMALL)
    whole, none = guess(base, Control(network, HINT)), guess(base)
    white, black = torch.ones(1, 8, 16), torch.zeros(1, 8, 16)
    torch.testing.assert_close(guess(base, Control(network, HINT, mask=white)), whole)
    torch.testing.assert_close(guess(base, Control(network, HINT, mask=black)), none)
    left = white.clone()
    left[..., 8:] = 0
    changed = (guess(base, Control(network, HINT, mask=left)) - none).abs().mean(dim=(0, 1, 2))
    assert changed[:8].mean() > 2 * changed[8:].mean()


def test_several_controls_add_up_and_two_halves_are_one() -> None:
    """Twice the same at half strength is once at full."""
    base, network = unet(SMALL), made(SMALL)
    half = Control(network, HINT, strength=0.5)
    both = guess(base, half, Control(network, HINT, strength=0.5))
    torch.testing.assert_close(both, guess(base, Control(network, HINT)))


def test_a_shared_control_is_heard_by_what_is_unwanted_too() -> None:
    """Then it is as if both had been given it."""
    base, network = unet(SMALL), made(SMALL)
    shared = guess(base, Control(network, HINT, shared=True))
    torch.testing.assert_close(shared, guess(base, Control(network, HINT)))


def test_an_area_sees_its_part_of_the_hint() -> None:
    """Asked about the right half, the network is shown the right half."""
    base, network = unet(SMALL), made(SMALL)
    region = Region(area=Box(8, 8, 0, 8))
    unseen, seen = HINT.clone(), HINT.clone()
    unseen[..., :64], seen[..., 64:] = 0, 0
    kept = said_of_area(base, Control(network, HINT), region)
    assert said_of_area(base, Control(network, unseen), region).equal(kept)
    assert not said_of_area(base, Control(network, seen), region).allclose(kept)


def test_another_family_s_control_is_refused_with_both_names() -> None:
    """The sizes that differ are named too."""
    other = made(XL)
    with pytest.raises(ControlMismatch) as refusal:
        guess(unet(SMALL), Control(other, HINT, family="Stable Diffusion XL"))
    assert str(refusal.value) == (
        "this control network is of Stable Diffusion XL: the sizes differ (width 32 against 16, "
        "multipliers (1, 2, 4) against (1, 2), blocks 2 against 1, context width 48 against 12, "
        "vector width 1560 against None); the model is of Stable Diffusion 1"
    )
