import pytest
import torch
from torch import Tensor

from safelight.diffusion.conditioning import Conditioning
from safelight.diffusion.denoiser import LatentModel, Prediction
from safelight.diffusion.schedule import NoiseSchedule, scaled_linear

SCHEDULE = NoiseSchedule.of(scaled_linear())
PROMPT = Conditioning(torch.zeros(1, 77, 8))


@pytest.mark.parametrize("prediction", ["eps", "v"])
@pytest.mark.parametrize("sigma", [0.03, 1.0, 14.6])
def test_a_perfect_network_gives_the_clean_latent(prediction: Prediction, sigma: float) -> None:
    """Whatever it was trained to answer, a network that is right denoises exactly."""
    generator = torch.Generator().manual_seed(0)
    clean = torch.randn(2, 4, 8, 8, generator=generator, dtype=torch.float64)
    noise = torch.randn(2, 4, 8, 8, generator=generator, dtype=torch.float64)
    alpha = (1 + sigma**2) ** -0.5

    def network(z: Tensor, timestep: Tensor, tokens: Tensor) -> Tensor:
        return noise if prediction == "eps" else alpha * noise - alpha * sigma * clean

    model = LatentModel(network, SCHEDULE, prediction)
    x = clean + sigma * noise
    denoised = model.told(PROMPT)(x, torch.tensor(sigma, dtype=torch.float64))
    torch.testing.assert_close(denoised, clean, rtol=1e-9, atol=1e-9)


def test_a_network_sees_unit_variance_its_timestep_and_every_prompt() -> None:
    """The latent is scaled, the timestep is a level of training, the prompt is for all."""
    seen: list[tuple[float, list[float], torch.Size]] = []

    def network(z: Tensor, timestep: Tensor, tokens: Tensor) -> Tensor:
        seen.append((float(z.std()), timestep.tolist(), tokens.shape))
        return torch.zeros_like(z)

    sigma = SCHEDULE.sigmas[500]
    clean = torch.randn(2, 4, 64, 64, generator=torch.Generator().manual_seed(0))
    noise = torch.randn(2, 4, 64, 64, generator=torch.Generator().manual_seed(1))
    LatentModel(network, SCHEDULE, "eps").told(PROMPT)(clean + float(sigma) * noise, sigma)
    (deviation, timestep, prompt) = seen[0]
    assert deviation == pytest.approx(1, abs=0.02)
    assert timestep == [500.0, 500.0]
    assert prompt == (2, 77, 8)


def test_only_the_network_computes_in_its_own_format() -> None:
    """A bfloat16 network gets bfloat16, keeps exact timesteps, and the walk stays float32."""
    seen: list[tuple[torch.dtype, ...]] = []

    def network(z: Tensor, timestep: Tensor, tokens: Tensor) -> Tensor:
        seen.append((z.dtype, timestep.dtype, tokens.dtype))
        return torch.zeros_like(z)

    model = LatentModel(network, SCHEDULE, "eps", torch.bfloat16)
    denoised = model.told(PROMPT)(torch.ones(1, 4, 8, 8), torch.tensor(1.0))
    assert seen == [(torch.bfloat16, torch.float32, torch.bfloat16)]
    assert denoised.dtype == torch.float32
