import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from safelight.diffusion.noise import brownian, independent, initial, noise_for

SHAPE = (1, 4, 16, 16)
SIGMAS = torch.tensor([10.0, 4.0, 1.0, 0.2, 0.0])


def test_initial_noise_is_that_of_the_global_generator() -> None:
    """The same numbers as `torch.manual_seed` and `torch.randn`, without touching global state."""
    before = torch.get_rng_state()
    drawn = initial(42, SHAPE)
    assert torch.equal(torch.get_rng_state(), before)
    with torch.random.fork_rng():
        torch.manual_seed(42)
        assert torch.equal(drawn, torch.randn(SHAPE))
    assert drawn.dtype == torch.float32


@pytest.mark.parametrize("seed", [0, 2**53, 2**63, 2**64 - 1])
def test_every_64_bit_seed_is_a_seed(seed: int) -> None:
    """Seeds above 2^63 work too, and differ from their neighbours."""
    assert torch.equal(initial(seed, SHAPE), initial(seed, SHAPE))
    assert not torch.equal(initial(seed, SHAPE), initial(seed ^ 1, SHAPE))


def test_first_fresh_draw_equals_the_initial_noise() -> None:
    """A convention of the programs that seeds come from; later draws differ."""
    x = torch.zeros(SHAPE)
    noise = independent(7, x, SIGMAS)
    first, second = noise(SIGMAS[0], SIGMAS[1]), noise(SIGMAS[1], SIGMAS[2])
    assert torch.equal(first, initial(7, SHAPE))
    assert not torch.equal(first, second)


def test_brownian_noise_has_unit_variance_over_every_span() -> None:
    """Increments are divided by the root of the time they took."""
    x = torch.zeros(1, 4, 64, 64)
    noise = brownian(3, x, SIGMAS)
    for begin, end in ((0, 1), (1, 2), (2, 3)):
        assert float(noise(SIGMAS[begin], SIGMAS[end]).std()) == pytest.approx(1, abs=0.02)


def test_brownian_increments_add_up() -> None:
    """Two short spans walk the same path as the long one: W(a,c) = W(a,b) + W(b,c)."""
    noise = brownian(3, torch.zeros(SHAPE), SIGMAS)
    a, b, c = SIGMAS[:3]
    whole = noise(a, c) * (a - c).sqrt()
    parts = noise(a, b) * (a - b).sqrt() + noise(b, c) * (b - c).sqrt()
    torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-4)


def test_brownian_noise_turns_its_sign_with_the_direction() -> None:
    """Walking a span backwards gives the opposite increment."""
    noise = brownian(3, torch.zeros(SHAPE), SIGMAS)
    torch.testing.assert_close(noise(SIGMAS[0], SIGMAS[1]), -noise(SIGMAS[1], SIGMAS[0]))


def test_brownian_noise_is_the_recorded_one() -> None:
    """The same path as the programs that seeds come from, bit for bit, over whole walks."""
    folder = Path(__file__).parent.parent / "references"
    entries: list[dict[str, Any]] = json.loads((folder / "samplers.json").read_text())["entries"]
    tensors = load_file(folder / "samplers.safetensors")
    walks = [entry for entry in entries if "spans" in entry]
    assert {"dpmpp_sde", "dpmpp_2m_sde", "dpmpp_3m_sde"} < {entry["sampler"] for entry in walks}
    for entry in walks:
        noise = noise_for(
            entry["sampler"], entry["seed"], torch.zeros(2, 4, 8, 8), torch.tensor(entry["sigmas"])
        )
        for (begin, end), draw in zip(entry["spans"], tensors[entry["noise"]], strict=False):
            drawn = noise(torch.tensor(begin), torch.tensor(end))
            assert torch.equal(drawn[:, :2, :4, :4], draw), entry["key"]


def test_a_walk_of_one_step_needs_no_path() -> None:
    """With one positive sigma there is no span to draw for, and no error either."""
    source = brownian(3, torch.zeros(SHAPE), torch.tensor([10.0, 0.0]))
    assert source(torch.tensor(10.0), torch.tensor(0.0)).shape == SHAPE


@pytest.mark.parametrize(
    ("sampler", "adds_up"), [("dpmpp_2m_sde", True), ("euler_ancestral", False)]
)
def test_each_sampler_has_the_noise_it_is_defined_with(sampler: str, adds_up: bool) -> None:
    """SDE solvers follow one path, ancestral ones draw anew."""

    def path(noise: Tensor, begin: Tensor, end: Tensor) -> Tensor:
        return noise * (begin - end).sqrt()

    noise = noise_for(sampler, 5, torch.zeros(SHAPE), SIGMAS)
    a, b, c = SIGMAS[:3]
    whole = path(noise(a, c), a, c)
    parts = path(noise(a, b), a, b) + path(noise(b, c), b, c)
    assert torch.allclose(whole, parts, atol=1e-4) is adds_up
