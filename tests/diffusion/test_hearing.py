import pytest
import torch

from safelight.diffusion.conditioning import Conditioning, Frame, Inputs, Size, stacked
from safelight.diffusion.embedding import sinusoids
from safelight.diffusion.hearing import (
    GREY,
    UnheardError,
    hear_inpainting,
    hear_inpainting_xl,
    hear_refiner,
    hear_xl,
    join_xl,
)
from safelight.diffusion.tokens import Encoded

POOLED = torch.tensor([[0.5, -0.5]])
PLAIN = Conditioning(torch.zeros(1, 77, 4), POOLED)


def numbers_in(inputs: Inputs) -> list[float]:
    """The numbers of a vector, found again among their clock hands."""
    assert inputs.vector is not None
    hands = inputs.vector[0, 2:].reshape(-1, 256)
    known = torch.cat([torch.arange(2000.0), torch.tensor([2.5])])
    table = sinusoids(known, 256)
    return [float(known[(table - row).abs().sum(dim=1).argmin()]) for row in hands]


def test_xl_hears_original_size_corner_and_target() -> None:
    """Height before width, top before left, after the pooled vector."""
    said = hear_xl(PLAIN.with_size(Size(768, 1344, 16, 8, 512, 640)), Frame(1, 1))
    assert said.vector is not None
    assert torch.equal(said.vector[:, :2], POOLED)
    assert numbers_in(said) == [768, 1344, 16, 8, 512, 640]


def test_without_a_word_the_size_is_that_of_the_latent() -> None:
    """Eight pixels a latent pixel, uncut."""
    assert numbers_in(hear_xl(PLAIN, Frame(64, 96))) == [512, 768, 0, 0, 512, 768]


@pytest.mark.parametrize(("wanted", "usual"), [(True, 6.0), (False, 2.5)])
def test_the_refiner_is_told_that_what_is_unwanted_is_ugly(wanted: bool, usual: float) -> None:
    """Unless a score was said."""
    frame = Frame(16, 24, wanted)
    assert numbers_in(hear_refiner(PLAIN, frame)) == [128, 192, 0, 0, usual]
    assert numbers_in(hear_refiner(PLAIN.with_score(9.0), frame)) == [128, 192, 0, 0, 9.0]


@pytest.mark.parametrize("hear", [hear_xl, hear_refiner, hear_inpainting_xl])
def test_a_prompt_without_a_pooled_vector_is_refused(hear: object) -> None:
    """The message says where to get one."""
    assert callable(hear)
    with pytest.raises(
        UnheardError,
        match=r"^Stable Diffusion XL wants a pooled vector beside the prompt, and this "
        r"conditioning has none: encode the prompt with the text encoders of an XL model$",
    ):
        hear(Conditioning(torch.zeros(1, 77, 4)), Frame(8, 8))


def test_an_inpainting_model_without_a_picture_paints_everything() -> None:
    """The mask is 1 everywhere and the picture grey."""
    beside = hear_inpainting(PLAIN, Frame(2, 3)).beside
    assert beside is not None
    assert beside.shape == (1, 5, 2, 3)
    assert beside[0, 0].eq(1).all()
    torch.testing.assert_close(beside[0, 1:, 1, 2], torch.tensor(GREY))


def test_an_inpainting_model_sees_the_picture_it_is_given() -> None:
    """What lies beside the latent is handed on as it is."""
    beside = torch.rand(1, 5, 2, 3)
    assert hear_inpainting(PLAIN.with_beside(beside), Frame(2, 3)).beside is beside


def test_xl_joins_its_towers_side_by_side() -> None:
    """The pooled vector is bigG's; a shorter prompt goes on with chunks of nothing."""
    small = Encoded(torch.ones(1, 154, 2), torch.zeros(1, 2), torch.full((1, 77, 2), 7.0))
    large = Encoded(torch.ones(1, 77, 3), POOLED, torch.full((1, 77, 3), 9.0))
    told = join_xl({"l": small, "g": large})
    assert told.tokens.shape == (1, 154, 5)
    assert told.tokens[0, :77].eq(1).all()
    assert told.tokens[0, 77:, 2:].eq(9).all()
    assert told.pooled is POOLED


def test_both_halves_of_guidance_keep_their_vectors_and_channels_apart() -> None:
    """First the wanted half with all its pictures, then the other."""
    first = Inputs(torch.zeros(1, 2, 4), torch.ones(1, 3), torch.ones(1, 5, 2, 2))
    second = Inputs(torch.ones(1, 3, 4), torch.zeros(1, 3), torch.zeros(1, 5, 2, 2))
    both = stacked((first, second), batch=2)
    assert both.tokens.shape == (4, 6, 4)
    assert both.vector is not None
    assert both.vector[:, 0].tolist() == [1, 1, 0, 0]
    assert both.beside is not None
    assert both.beside[:, 0, 0, 0].tolist() == [1, 1, 0, 0]


def test_zeroed_conditioning_keeps_its_size() -> None:
    """Words become zeros, what was said of the picture stays."""
    zeroed = PLAIN.with_size(Size(8, 8)).zeroed()
    assert zeroed.pooled is not None
    assert zeroed.pooled.count_nonzero() == 0
    assert zeroed.size == Size(8, 8)
