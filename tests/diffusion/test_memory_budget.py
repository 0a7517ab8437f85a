"""Too little memory costs time and nothing else: budgets, eviction, and running out."""

import re
import weakref
from collections.abc import Callable
from math import inf, nan

import pytest
import torch
from tests.diffusion.budgets import FULL, largest, layers, size, streamed, use
from tests.diffusion.networks import SMALL, text_encoder, unet, vae
from tests.diffusion.test_parity_transformers import FLUX, MMDIT, T5, drawn
from torch import Tensor, nn

from safelight.diffusion import memory, tiling
from safelight.diffusion.change import Moment, changed
from safelight.diffusion.changes import attention
from safelight.diffusion.flux import Flux
from safelight.diffusion.lora import Edit, LowRank, merged
from safelight.diffusion.memory import Placement, limit, relieve, resident
from safelight.diffusion.mmdit import MMDiT
from safelight.diffusion.shelf import Shelf
from safelight.diffusion.t5 import T5Encoder
from safelight.diffusion.vae import AutoencoderKL

CPU = torch.device("cpu")
IDS = torch.arange(40)[None]
HALF = Placement(CPU, torch.bfloat16)
PLACES = [pytest.param(place, id=str(place.dtype)) for place in (FULL, HALF)]
PLACES.append(
    pytest.param(
        Placement(torch.device("cuda"), torch.float16),
        marks=[
            pytest.mark.gpu,
            pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
        ],
        id="cuda",
    )
)


@pytest.fixture(autouse=True)
def shelf(monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """An empty shelf without limit, in the place of the process's own."""
    fresh = Shelf()
    monkeypatch.setattr(memory, "SHELF", fresh)
    return fresh


def transformer(kind: Callable[[], nn.Module]) -> nn.Module:
    """A network with the random weights it is born with."""
    torch.manual_seed(0)
    return kind().eval().requires_grad_(False)


def coded(network: nn.Module, latent: Tensor) -> Tensor:
    """Pictures of a latent, decoded as a whole and in tiles."""
    assert isinstance(network, AutoencoderKL)
    whole: Tensor = network.decode(latent)
    return torch.cat([whole, tiling.decoded(network, latent.float().cpu(), 16).to(whole)])


# One network of each kind, and how to ask it something, with numbers of the shapes it wants.
There = Callable[..., Tensor]
KINDS: dict[str, tuple[Callable[[], nn.Module], Callable[[nn.Module, There], Tensor]]] = {
    "U-Net": (
        lambda: unet(SMALL),
        lambda network, there: network(there(2, 4, 8, 8), there(2), there(2, 7, 32)),
    ),
    "CLIP": (lambda: text_encoder(SMALL), lambda network, there: network(IDS.to(there(1).device))),
    "VAE": (lambda: vae(SMALL), lambda network, there: coded(network, there(1, 4, 4, 4))),
    "MMDiT": (
        lambda: transformer(lambda: MMDiT(MMDIT)),
        lambda network, there: network(
            there(1, 16, 8, 12), there(1), there(1, 7, 48), there(1, 40)
        ),
    ),
    "Flux": (
        lambda: transformer(lambda: Flux(FLUX)),
        lambda network, there: network(
            there(1, 16, 8, 12), there(1), there(1, 7, 48), there(1, 40), there(1)
        ),
    ),
    "T5": (
        lambda: transformer(lambda: T5Encoder(T5)),
        lambda network, there: network(IDS.to(there(1).device)),
    ),
    "layers": (layers, lambda network, there: network(there(2, 8))),
}


def asked(kind: str, network: nn.Module, place: Placement) -> Tensor:
    """What a network of a kind answers at a placement."""

    def there(*shape: int) -> Tensor:
        return memory.converted(drawn(*shape), place)

    with resident(network, place) as placed:
        return KINDS[kind][1](placed, there).cpu()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_network_larger_than_its_budget_gives_the_same_bits(
    kind: str, place: Placement, shelf: Shelf
) -> None:
    """With no room at all, with room for a part, with room for all but a byte."""
    network = KINDS[kind][0]().half()  # as files have them
    expected, whole = asked(kind, network, place), size(network, place)
    for budget in (0, whole // 3, whole - 1):
        limit(budget)
        assert torch.equal(asked(kind, network, place), expected)
        assert shelf.held <= budget
        assert streamed(use(network, place)) > 0
    limit(inf)
    assert torch.equal(asked(kind, network, place), expected)
    assert streamed(use(network, place)) == 0


def test_changed_networks_give_the_same_bits_when_they_are_streamed() -> None:
    """A LoRA's variant, and changes for the length of a call."""
    name = "middle.transformer.layers.0.to_prompt.query.weight"
    network = unet(SMALL).half()
    rows, columns = network.get_parameter(name).shape
    own = merged(network, {name: [Edit(LowRank(drawn(2, columns), drawn(rows, 2)))]}, 0.5)

    def louder(network: nn.Module, moment: Moment) -> nn.Module:
        return attention.multiplied(network, "to_prompt", (1.0, 0.5, 2.0, 1.5))

    def answers() -> list[Tensor]:
        given = (drawn(2, 4, 8, 8), torch.tensor([500.0, 500.0]), drawn(2, 7, 32))
        with resident(own, FULL) as placed:
            return [changed(placed, part)(*given) for part in (attention.identity, louder)]

    expected = answers()
    limit(size(network, FULL) // 4)
    assert streamed(use(own)) > 0
    assert all(map(torch.equal, answers(), expected))
    assert not torch.equal(*expected)


class Witness:
    """Sees every weight that is made at a placement, and how many bytes live at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.peak = 0
        self._alive: dict[int, tuple[Callable[[], Tensor | None], int]] = {}
        self._at = memory._at
        monkeypatch.setattr(memory, "_at", self)

    def __call__(self, tensor: Tensor, place: Placement) -> Tensor:
        made = self._at(tensor, place)
        self._alive[id(made)] = (weakref.ref(made), made.nbytes)
        alive = sum(nbytes for maker, nbytes in self._alive.values() if maker() is not None)
        self.peak = max(self.peak, alive)
        return made


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 1.0])
def test_no_more_is_in_memory_than_the_budget_and_one_layer(
    share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over networks in turn and inside one another, at every moment."""
    networks = {kind: KINDS[kind][0]().half() for kind in ("U-Net", "CLIP", "VAE")}
    budget = int(share * size(networks["U-Net"], HALF))
    layer = max(largest(network, HALF) for network in networks.values())
    limit(budget)
    witness = Witness(monkeypatch)
    for kind, network in networks.items():
        asked(kind, network, HALF)
    with resident(networks["U-Net"], HALF):
        asked("CLIP", networks["CLIP"], HALF)
        asked("VAE", networks["VAE"], HALF)
    asked("U-Net", networks["U-Net"], HALF)
    assert 0 < witness.peak <= budget + 2 * layer


def test_the_one_that_was_not_used_for_longest_goes_first(shelf: Shelf) -> None:
    """And only as many as must."""
    one, two, three = layers(), layers(), layers()
    limit(2 * size(one, FULL))
    first, second = weakref.ref(use(one)), weakref.ref(use(two))
    use(one)
    third = weakref.ref(use(three))
    assert first() is not None
    assert second() is None
    assert third() is not None
    assert shelf.held == 2 * size(one, FULL)


def test_what_is_in_use_stays() -> None:
    """The other one is streamed beside it, and kept as soon as there is room."""
    one, two = layers(), layers()
    limit(size(one, FULL) + 1)
    with resident(one, FULL) as placed:
        assert streamed(placed) == 0
        assert streamed(use(two)) == 3
        assert use(one) is placed
    assert streamed(use(two)) == 0


def test_a_small_budget_holds_what_it_can(shelf: Shelf) -> None:
    """Of three equal layers two are in memory: one to keep, and one for those that pass."""
    network = layers()
    limit(2 * largest(network, FULL))
    assert streamed(use(network)) == 2
    assert shelf.held == largest(network, FULL)
    assert use(network) is use(network)


def test_a_variant_shares_what_is_on_the_shelf(shelf: Shelf) -> None:
    """It takes room for its own weights alone, also when its original has to go."""
    network = layers()
    other = merged(network, {"1.weight": [Edit(LowRank(drawn(2, 8), drawn(8, 2)))]}, 1.0)
    with resident(network, FULL) as base, resident(other, FULL) as placed:
        assert placed.get_parameter("0.weight") is base.get_parameter("0.weight")
        assert shelf.held == 4 * largest(network, FULL)
        shared = base.get_parameter("0.weight")
    relieve()
    assert shelf.held == 0
    limit(size(network, FULL))
    use(network)
    assert streamed(use(other)) == 0
    assert shelf.held == size(network, FULL)
    del shared


def test_a_lower_limit_holds_at_once_and_for_what_is_in_use_later(shelf: Shelf) -> None:
    """Nobody loses what he has borrowed."""
    one, two = layers(), layers()
    with resident(one, FULL) as placed:
        use(two)
        limit(0)
        assert shelf.held == size(one, FULL)
        assert streamed(placed) == 0
    assert shelf.held == 0


def test_a_network_that_is_dropped_leaves_the_shelf(shelf: Shelf) -> None:
    """Streamed or not, nothing else keeps it."""
    network = layers()
    limit(2 * largest(network, FULL))
    use(network)
    gone = weakref.ref(network)
    del network
    assert gone() is None
    assert shelf.held == 0


@pytest.mark.parametrize("budget", [-1, nan])
def test_a_budget_below_zero_is_refused(budget: float, shelf: Shelf) -> None:
    """And the old one stays."""
    message = f"a memory budget of {budget} bytes cannot be kept: want 0 or more"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        limit(budget)
    assert shelf.budget == inf
