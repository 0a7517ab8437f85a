"""A U-Net whose deep part is computed every few steps only."""

from collections.abc import Iterator

import pytest
import torch
from tests.diffusion.networks import NARROW, SMALL, Sizes, randomised, unet
from tests.diffusion.peers import error
from tests.diffusion.transformers import mmdit
from torch import Tensor, nn

from safelight.diffusion.change import CannotChange, Moment, changed
from safelight.diffusion.changes import deep, freeu
from safelight.diffusion.changes.shrinking import Shrinking, shrinking
from safelight.diffusion.conditioning import Conditioning
from safelight.diffusion.control import Residuals
from safelight.diffusion.denoiser import LatentModel, Network
from safelight.diffusion.guidance import Guided, guided
from safelight.diffusion.sampling import SAMPLERS
from safelight.diffusion.schedule import NoiseSchedule, karras, scaled_linear
from safelight.diffusion.unet import UNet
from safelight.diffusion.variant import variant

SCHEDULE = NoiseSchedule.of(scaled_linear())
ALL = (float("inf"), -float("inf"))
SKIPS = len(SMALL.unet.skips)


class Counting(nn.Module):
    """A part that counts its calls."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.part = part
        self.calls = 0

    def forward(self, *given: Tensor) -> Tensor:
        """Compute as ever."""
        self.calls += 1
        answer: Tensor = self.part(*given)
        return answer


def counted() -> tuple[UNet, Counting]:
    """A small U-Net, and the bottom of it, which is counted."""
    network = unet(SMALL)
    bottom = Counting(network.middle)
    return variant(network, {"middle": bottom}), bottom


def question(sizes: Sizes = SMALL, time: float = 500.0) -> tuple[Tensor, Tensor, Tensor]:
    """Two latents of odd size, a timestep and two prompts."""
    draw = torch.Generator().manual_seed(1)
    latent = torch.randn(2, 4, 15, 13, generator=draw)
    prompts = torch.randn(2, 7, sizes.unet.context_width, generator=draw)
    return latent, torch.full((2,), time), prompts


def asked(network: Network) -> Guided:
    """Guidance over a network, told two prompts."""
    model = LatentModel(network, SCHEDULE, "v")
    draw = torch.Generator().manual_seed(3)
    first, second = (torch.randn(1, 7, 32, generator=draw) for _ in range(2))
    return guided(model.told(Conditioning(first)), model.told(Conditioning(second)), 4.0)


@torch.no_grad()
def walk(denoise: Guided, steps: int = 7) -> Iterator[Tensor]:
    """Yield the state after each step."""
    x = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0)) * 14
    sigmas = karras(SCHEDULE, steps).float()
    for step in SAMPLERS["euler"](denoise, x, sigmas, noise=lambda s, n: torch.zeros_like(x)):
        yield step.x


@pytest.mark.parametrize("branch", [0, 3, 99])
def test_an_interval_of_one_changes_nothing(branch: int) -> None:
    """Bit for bit, in every step."""
    network = unet(SMALL)
    plain = list(walk(asked(network)))
    whole = list(walk(deep.deep(asked(network), deep.Depth(1, branch), ALL)))
    assert all(torch.equal(one, other) for one, other in zip(plain, whole, strict=True))


@pytest.mark.parametrize("sizes", [SMALL, NARROW], ids=["small", "narrow"])
@torch.no_grad()
def test_a_question_asked_again_is_answered_as_before(sizes: Sizes) -> None:
    """From every branch: nothing has changed, so nothing is lost by what was kept."""
    network = randomised(UNet(sizes.unet), 1)
    ask = question(sizes)
    for branch in range(len(sizes.unet.skips)):
        kept = deep.Kept()
        change = deep.deepened(branch, kept)
        first = changed(network, change)(*ask)
        assert kept.h is not None
        assert torch.equal(first, network(*ask))
        torch.testing.assert_close(changed(network, change)(*ask), first, rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_residuals_of_other_networks_still_count() -> None:
    """Those of the way down that is computed, and those added to what it keeps."""
    network = unet(SMALL)
    ask = question()
    shapes = [kept.shape for kept in network.descend(network.stem(ask[0]), *_told(network, ask))]
    draw = torch.Generator().manual_seed(2)
    more = Residuals(
        kept=tuple(torch.randn(shape, generator=draw) for shape in shapes),
        passing=tuple(torch.randn(shape, generator=draw) for shape in shapes),
    )
    change = deep.deepened(3, deep.Kept())
    first = changed(network, change)(*ask, residuals=more)
    again = changed(network, change)(*ask, residuals=more)
    torch.testing.assert_close(again, first, rtol=1e-5, atol=1e-5)
    assert error(changed(network, change)(*ask), first) > 1e-3


def _told(network: UNet, ask: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    return network.clock(ask[1], None), ask[2]


def test_the_bottom_is_computed_every_few_steps() -> None:
    """In steps 0, 3 and 6 of seven; the picture strays, but not far."""
    network, bottom = counted()
    *_, end = walk(deep.deep(asked(network), deep.Depth(3, 1), ALL))
    assert bottom.calls == 3
    *_, exact = walk(asked(network))
    assert bottom.calls == 3 + 7
    assert 1e-4 < error(end, exact) < 0.5


@torch.no_grad()
def test_each_batch_of_a_step_is_remembered_apart() -> None:
    """Asked twice at every timestep, about two pictures."""
    network, bottom = counted()
    wrapped = deep.Deep(network, deep.Depth(2, 3), ALL)
    latent, time, prompt = question()
    for latents in (latent, -latent):
        torch.testing.assert_close(wrapped(latents, time, prompt), network(latents, time, prompt))
    assert bottom.calls == 2 + 2
    for latents in (latent, -latent):
        near = wrapped(latents, time - 1, prompt)
        own, other = (network(each, time - 1, prompt) for each in (latents, -latents))
        assert error(near, own) < 0.2 * error(near, other)
    assert bottom.calls == 2 + 2 + 4  # only the network itself was asked whole again


def test_outside_its_span_every_step_is_whole() -> None:
    """The span lies above all timesteps."""
    network, bottom = counted()
    list(walk(deep.deep(asked(network), deep.Depth(3), (1e6, 1e5))))
    assert bottom.calls == 7


@torch.no_grad()
def test_other_changes_are_found_in_the_shallow_network_too() -> None:
    """FreeU weighs in every block that is computed; a way up that is shrunk is left whole."""
    network = unet(SMALL)
    ask = question()
    weigh = freeu.freeu(freeu.Factors(1.3, 0.9), freeu.Factors(1.4, 0.2), local=False)
    for change in (weigh, shrinking(Shrinking(block=1))):
        kept = deep.Kept()
        both = changed(network, change, deep.deepened(SKIPS - 1, kept))
        wanted = changed(network, change)(*ask)
        torch.testing.assert_close(both(*ask), wanted)
        torch.testing.assert_close(both(*ask), wanted, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_a_latent_of_another_size_is_computed_whole() -> None:
    """What was kept would not fit."""
    network, bottom = counted()
    wrapped = deep.Deep(network, deep.Depth(9), ALL)
    latent, time, prompt = question()
    wrapped(latent, time, prompt)
    wrapped(latent, time - 1, prompt)
    assert bottom.calls == 1
    wrapped(latent[..., :8], time - 2, prompt)
    assert bottom.calls == 2


def test_what_is_no_unet_has_nothing_deep() -> None:
    """Refused by its name."""
    with pytest.raises(CannotChange, match="MMDiT is no U-Net, so nothing in it is deep"):
        deep.deepened(0, deep.Kept())(mmdit(), Moment(8, 8, torch.tensor([0.0])))
