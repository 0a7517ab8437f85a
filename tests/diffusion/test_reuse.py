"""Steps whose answers are foreseen instead of computed."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from safelight.diffusion.change import changed
from safelight.diffusion.changes import reuse
from safelight.diffusion.conditioning import Conditioning
from safelight.diffusion.denoiser import LatentModel
from safelight.diffusion.guidance import Guided, guided
from safelight.diffusion.sampling import SAMPLERS
from safelight.diffusion.schedule import NoiseSchedule, karras, scaled_linear

SCHEDULE = NoiseSchedule.of(scaled_linear())
ALL = (float("inf"), -float("inf"))
Method = Callable[[Guided, float, reuse.Span], Guided]


class Smooth:
    """A network whose answer changes slowly; it counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, z: Tensor, timestep: Tensor, tokens: Tensor) -> Tensor:
        """Answer a little less than the input."""
        self.calls += 1
        return 0.9 * z + 0.1 * tokens.mean(dim=(1, 2)).reshape(-1, 1, 1, 1)


def asked(network: Smooth, lengths: tuple[int, int] = (7, 7)) -> Guided:
    """Guidance over that network; prompts of unlike length still share a batch."""
    model = LatentModel(network, SCHEDULE, "eps")
    first, second = (Conditioning(torch.ones(1, length, 3)) for length in lengths)
    return guided(model.told(first), model.told(second.zeroed()), 4.0)


def walk(denoise: Guided, sampler: str = "euler", steps: int = 12) -> Iterator[Tensor]:
    """Yield the state after each step."""
    x = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0)) * 14
    sigmas = karras(SCHEDULE, steps).float()
    for step in SAMPLERS[sampler](denoise, x, sigmas, noise=lambda s, n: torch.zeros_like(x)):
        yield step.x


@pytest.mark.parametrize("method", [reuse.easy, reuse.lazy])
@pytest.mark.parametrize("sampler", ["euler", "heun", "euler_cfg_pp"])
def test_threshold_zero_computes_every_step(method: Method, sampler: str) -> None:
    """Bit for bit."""
    plain = list(walk(asked(Smooth()), sampler))
    reused = list(walk(method(asked(Smooth()), 0.0, ALL), sampler))
    assert all(torch.equal(one, other) for one, other in zip(plain, reused, strict=True))


@pytest.mark.parametrize(("method", "span"), [(reuse.easy, (1e9, 300.0)), (reuse.lazy, (1e9, 1.0))])
def test_fewer_steps_are_computed_and_the_end_is_near(method: Method, span: reuse.Span) -> None:
    """Some of sixty are saved; the last ones are computed."""
    network = Smooth()
    *_, end = walk(method(asked(network), 0.2, span), steps=60)
    *_, exact = walk(asked(Smooth()), steps=60)
    assert network.calls < 60
    assert (end - exact).abs().max() < 0.3 * exact.abs().max()


@pytest.mark.parametrize("method", [reuse.easy, reuse.lazy])
def test_outside_its_span_every_step_is_computed(method: Method) -> None:
    """The span lies above all of the walk."""
    network = Smooth()
    list(walk(method(asked(network), 3.0, (1e6, 1e5))))
    assert network.calls == 12


def test_what_is_foreseen_is_the_last_difference() -> None:
    """a = x + (a_i - x_i) once two steps have shown the rate."""
    memory = reuse.Memory(threshold=10.0)
    first, second, third = (torch.full((1, 1, 2, 2), value) for value in (1.0, 2.0, 2.5))
    assert memory.foreseen(first) is None
    memory.learn(first, 3 * first)
    assert memory.foreseen(second) is None
    memory.learn(second, 3 * second)
    assert memory.rate == pytest.approx(3.0)
    foreseen = memory.foreseen(third)
    assert foreseen is not None
    assert torch.equal(foreseen, third + 4)
    assert memory.error == pytest.approx(3 * 0.5 / 6)


def test_a_network_that_reuses_can_still_be_changed() -> None:
    """A weakened self is asked without memory."""
    layer = torch.nn.Identity()
    wrapped = reuse.Reusing(layer, 0.2, ALL)
    assert wrapped.bare is layer
    assert changed(wrapped) is layer
