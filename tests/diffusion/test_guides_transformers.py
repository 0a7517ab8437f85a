"""Guidance of transformers by asking them in another way: weaker, or with a negative inside."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from tests.diffusion.networks import randomised
from tests.diffusion.peers import error
from tests.diffusion.transformers import FLUX, LATER, MMDIT, drawn, flux, mmdit, question, told
from torch import Tensor, nn

from safelight.diffusion.attention import Listening
from safelight.diffusion.change import CannotChange, Moment, changed, parts, retold
from safelight.diffusion.changes.attention import identity
from safelight.diffusion.changes.skipping import skipping
from safelight.diffusion.dit import DiT, DiTConfig
from safelight.diffusion.guidance import Guided, guided
from safelight.diffusion.guides import negative, weaker
from safelight.diffusion.guides.leading import Leading
from safelight.diffusion.variant import variant

SIGMA = torch.tensor(0.6)
Made = Callable[[], Any]
NETWORKS = pytest.mark.parametrize(
    "made", [mmdit, lambda: mmdit(LATER), flux], ids=["3", "3.5", "flux"]
)


def asked(network: Any, w: float = 1.0, length: int = 7) -> Guided:
    """A transformer told two prompts, the second of some length."""
    positive = told(network)
    away = replace(told(network, length, seed=2, wanted=False), model=positive.model)
    return guided(positive, away, w)


def state() -> Tensor:
    """Two noisy latents."""
    return drawn(2, 16, 8, 6, seed=0)


@NETWORKS
@torch.no_grad()
def test_at_scale_zero_nothing_is_computed_otherwise(made: Made) -> None:
    """Bit for bit, for there is nothing added at all."""
    ask = asked(made(), 3.0)
    plain = ask(state(), SIGMA)
    for weak in (identity, skipping([1], [0])):
        assert torch.equal(weaker.weakened(ask, weak, 0.0)(state(), SIGMA), plain)
    assert torch.equal(negative.attention_guided(ask, 0.0)(state(), SIGMA), plain)


@NETWORKS
@pytest.mark.parametrize("weak", [identity, skipping([1], [0])], ids=["perturbed", "skipped"])
@torch.no_grad()
def test_a_weaker_self_pushes_away_from_its_mistakes(made: Made, weak: Any) -> None:
    """D + s (C - P)."""
    ask = asked(made())
    alone = ask.positive(state(), SIGMA)
    worse = retold(ask.positive, weak)(state(), SIGMA)
    assert error(worse, alone) > 1e-4
    pushed = weaker.weakened(ask, weak, 3.0)(state(), SIGMA)
    torch.testing.assert_close(pushed, alone + 3 * (alone - worse))


@NETWORKS
@torch.no_grad()
def test_a_negative_that_says_nothing_else_changes_nothing(made: Made) -> None:
    """Mixed in by nothing, or equal to the positive."""
    ask = asked(made())
    alone = ask(state(), SIGMA)
    for silent in (
        negative.attention_guided(ask, 4.0, mix=0.0),
        negative.attention_guided(guided(ask.positive, ask.positive, 1.0), 4.0),
    ):
        torch.testing.assert_close(silent(state(), SIGMA), alone, rtol=1e-4, atol=1e-5)
    assert error(negative.attention_guided(ask, 4.0)(state(), SIGMA), alone) > 1e-4


@NETWORKS
@torch.no_grad()
def test_each_picture_is_led_away_as_alone(made: Made) -> None:
    """One negative serves a batch; it may be longer than the positive."""
    ask = negative.attention_guided(asked(made(), length=9), 3.0)
    together = ask(state(), SIGMA)
    torch.testing.assert_close(ask(state()[1:], SIGMA), together[1:], rtol=1e-4, atol=1e-5)


class Heard(nn.Module):
    """Attention that writes down what it made, or answers what it was given."""

    def __init__(self, listening: Listening, answer: Tensor | None = None) -> None:
        super().__init__()
        self.listening = listening
        self.answer = answer
        self.mixed: list[Tensor] = []

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Listen."""
        self.mixed.append(self.listening(query, key, value))
        return self.mixed[-1] if self.answer is None else self.answer


@pytest.mark.parametrize(
    ("network", "patches"),
    [
        (mmdit(replace(MMDIT, depth=1)), 12),
        (mmdit(replace(LATER, depth=1, doubled=1)), 12),
        (flux(replace(FLUX, double_depth=1, single_depth=0)), 12),
        (flux(replace(FLUX, double_depth=0, single_depth=1)), 12),
    ],
    ids=["3", "3.5", "flux, two streams", "flux, one stream"],
)
@torch.no_grad()
def test_what_is_heard_is_led_away_by_the_formula(network: Any, patches: int) -> None:
    """In the only block: away(A+, A-) instead of A+, where the patches hear."""
    ask, other = question(network), replace(question(network), words=question(network, 9, 2).words)
    leading = Leading(3.0, bound=1.5, mix=0.7)
    ((path, listening),) = parts(network, Listening)
    spy = Heard(listening)
    variant(network, {path: spy})(*ask.all)
    variant(network, {path: spy})(*other.all)
    ours, theirs = spy.mixed
    led = leading.away(ours[:, -patches:], theirs[:, -patches:])
    given = Heard(listening, torch.cat([ours[:, :-patches], led], dim=1))
    wanted = variant(network, {path: given})(*ask.all)
    said = changed(network, negative.saying(other.words, leading))(*ask.all)
    torch.testing.assert_close(said, wanted, rtol=1e-4, atol=1e-5)
    assert error(said, network(*ask.all)) > 1e-3


@torch.no_grad()
def test_the_second_stream_is_refined_as_the_first() -> None:
    """Told the negative as its prompt, and led nowhere, a network hears it block for block."""
    network = mmdit()
    ask, other = question(network), replace(question(network), words=question(network, 9, 2).words)
    spies = {path: Heard(part) for path, part in parts(network, Listening)}
    spied = variant(network, spies)
    spied(*other.all)
    alone = [spy.mixed[0] for spy in spies.values()]
    changed(spied, negative.saying(other.words, Leading(1.0, mix=0.0)))(*ask.all)
    first = next(iter(spies.values()))
    torch.testing.assert_close(first.mixed[2], alone[0], rtol=1e-4, atol=1e-5)


def test_a_network_that_hears_no_words_is_refused() -> None:
    """It knows classes."""
    network = DiT(DiTConfig(side=4, width=16, depth=1, heads=1, labels=3))
    randomised(network, 1)
    with pytest.raises(CannotChange, match="DiT has no attention to words"):
        negative.saying(torch.zeros(1, 1, 1), Leading(1.0))(
            network, Moment(8, 8, torch.tensor([0.0]))
        )
