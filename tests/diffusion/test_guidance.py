from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.diffusion.networks import SMALL, unet
from torch import Tensor

from safelight.diffusion.conditioning import Conditioning, Inputs, expanded, stacked
from safelight.diffusion.denoiser import LatentModel
from safelight.diffusion.guidance import guided
from safelight.diffusion.schedule import NoiseSchedule, scaled_linear

SCHEDULE = NoiseSchedule.of(scaled_linear())
SIGMA = torch.tensor(2.5, dtype=torch.float64)


@pytest.fixture(scope="module")
def recorded() -> dict[str, Tensor]:
    """Guided answers of a toy model."""
    return load_file(Path(__file__).parent.parent / "references" / "guidance.safetensors")


class Toy:
    """The toy model of the recordings as a network that predicts noise; it counts its calls."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def __call__(self, z: Tensor, timestep: Tensor, tokens: Tensor) -> Tensor:
        """Return the noise for which x - sigma * noise is the toy's guess."""
        self.batches.append(z.shape[0])
        x = z * (1 + SIGMA**2).sqrt()
        mean = tokens.mean(dim=(1, 2)).reshape(-1, 1, 1, 1)
        guess = x / (1 + SIGMA) + mean * (1 + x.mean(dim=(2, 3), keepdim=True))
        return (x - guess) / SIGMA


def told(recorded: dict[str, Tensor], toy: Toy, *names: str) -> list[Conditioning]:
    """The recorded contexts."""
    return [Conditioning(recorded[f"context.{name}"].double()) for name in names]


@pytest.mark.parametrize(("case", "scale"), [("cfg7", 7.0), ("cfg1_skips_uncond", 1.0)])
def test_guidance_is_the_recorded_one(case: str, scale: float, recorded: dict[str, Tensor]) -> None:
    """U + w (C - U), in float64."""
    toy = Toy()
    model = LatentModel(toy, SCHEDULE, "eps")
    positive, negative = told(recorded, toy, "a", "n")
    denoise = guided(model.told(positive), model.told(negative), scale)
    answer = denoise(recorded["x"].double(), SIGMA)
    torch.testing.assert_close(answer, recorded[f"{case}.denoised"], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("scale", "batches"), [(7.0, [4]), (1.0, [2])])
def test_both_halves_are_one_batch_and_scale_one_asks_once(
    scale: float, batches: list[int], recorded: dict[str, Tensor]
) -> None:
    """Two pictures: one call of four, or of two when nothing is exaggerated."""
    toy = Toy()
    model = LatentModel(toy, SCHEDULE, "eps")
    positive, negative = told(recorded, toy, "a", "n")
    guided(model.told(positive), model.told(negative), scale)(recorded["x"].double(), SIGMA)
    assert toy.batches == batches


def test_prompts_of_different_length_share_a_batch(recorded: dict[str, Tensor]) -> None:
    """77 tokens against 154: the same answer as asked one by one."""
    toy = Toy()
    model = LatentModel(toy, SCHEDULE, "eps")
    short, long = told(recorded, toy, "a", "b")
    x = recorded["x"].double()
    together = guided(model.told(long), model.told(short), 3.0)(x, SIGMA)
    wanted, unwanted = model.told(long)(x, SIGMA), model.told(short)(x, SIGMA)
    torch.testing.assert_close(together, unwanted + 3.0 * (wanted - unwanted))


def test_denoisers_of_any_kind_can_guide() -> None:
    """What is not a told model is asked apart: guidance composes with masks and with itself."""
    denoise = guided(lambda x, sigma: x + 1, lambda x, sigma: x, 5.0)
    x = torch.zeros(1, 4, 2, 2)
    torch.testing.assert_close(denoise(x, SIGMA), x + 5)


@torch.no_grad()
def test_repeating_a_prompt_changes_nothing_that_the_network_sees() -> None:
    """Attention over every key twice is attention over every key once."""
    network = unet(SMALL)
    x, t = torch.randn(1, 4, 8, 8), torch.tensor([100.0])
    prompt = torch.randn(1, 7, SMALL.unet.context_width)
    torch.testing.assert_close(network(x, t, prompt), network(x, t, prompt.repeat(1, 3, 1)))


def test_prompts_stand_side_by_side_at_a_common_length() -> None:
    """2 and 3 tokens become 6; each picture of the batch has its prompt."""
    first, second = torch.ones(1, 2, 4), torch.zeros(1, 3, 4)
    both = stacked((Inputs(first), Inputs(second)), batch=2).tokens
    assert both.shape == (4, 6, 4)
    assert both[:2].eq(1).all()
    assert both[2:].eq(0).all()


def test_prompts_are_used_in_turn() -> None:
    """Three pictures with two prompts: first, second, first."""
    tokens = torch.tensor([[[1.0]], [[2.0]]])
    assert expanded(tokens, 3).flatten().tolist() == [1.0, 2.0, 1.0]
