"""What can be taught on the canvas: adapters, words and controls, in models of any family."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.diffusion.networks import SMALL, randomised
from tests.library.flow_models import network_of
from tests.training.toys import CPU, latents, model, studied, texts, told
from torch import Tensor

from safelight.diffusion.conditioning import Conditioning, Inputs
from safelight.diffusion.denoiser import LatentModel, Prediction
from safelight.diffusion.family import Family
from safelight.diffusion.family_flow import FLUX_DEV, SD35_MEDIUM
from safelight.diffusion.flux import FluxConfig
from safelight.diffusion.lora import merged
from safelight.diffusion.lora_file import read_lora
from safelight.diffusion.lora_names import fit, network_places
from safelight.diffusion.reading import Reading
from safelight.diffusion.schedule import FlowSchedule
from safelight.diffusion.unet import UNet
from safelight.training.adapter import adapted
from safelight.training.identity import identity
from safelight.training.lora_export import named
from safelight.training.noised import CannotLearn, Measure, error, noised, weights
from safelight.training.pupils import (
    BLOCKS,
    ControlPupil,
    Lessons,
    LoraPupil,
    Studied,
    Way,
    WordPupil,
)
from safelight.training.stepwise import Learning, Plan

PREDICTIONS: tuple[Prediction, ...] = ("eps", "v", "flow")


def of(prediction: Prediction) -> LatentModel:
    """A model that predicts so."""
    made = model(prediction)
    return replace(made, schedule=FlowSchedule()) if prediction == "flow" else made


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_who_says_what_is_wanted_guesses_the_clean_picture(prediction: Prediction) -> None:
    """The right answer, read as sampling reads it, is z: both agree on what is asked."""
    asked = noised(latents(1), of(prediction).schedule, torch.Generator().manual_seed(1))
    seen: list[Tensor] = []

    def network(z: Tensor, timestep: Tensor, tokens: Tensor) -> Tensor:
        seen.append(z)
        return asked.wanted(of(prediction))

    oracle = replace(of(prediction), network=network)
    share = 1 - asked.sigma if prediction == "flow" else torch.ones(1)
    x = share * asked.clean + asked.sigma * asked.noise
    guess = oracle.denoise(x, asked.sigma[0], Inputs(torch.zeros(1, 7, 32)))
    torch.testing.assert_close(guess, asked.clean, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(seen[0], asked.seen(oracle))
    told = Inputs(torch.zeros(1, 7, 32))
    assert float(error(oracle, asked, told, Measure())) == 0


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_min_snr_counts_levels_by_what_they_decide(prediction: Prediction) -> None:
    """min(snr, 5) over snr for noise, over snr + 1 for velocity, by its paper."""
    sigma = torch.tensor([0.1, 0.8])
    found = weights(of(prediction), sigma, Measure(min_snr=5.0))
    snr = (1 - sigma if prediction == "flow" else torch.ones(2)) ** 2 / sigma**2
    below = {"eps": snr, "v": snr + 1, "flow": 1 / sigma**2}[prediction]
    torch.testing.assert_close(found, snr.clamp(max=5.0) / below)


PLAIN = Way()


def lora(way: Way = PLAIN) -> LoraPupil:
    """Adapters in the small U-Net."""
    torch.manual_seed(0)
    return LoraPupil(model(), None, [studied()], way, CPU, rank=2)


def word() -> WordPupil:
    """Two rows of a word."""
    table = {"l": torch.zeros(2, SMALL.text.width)}
    lesson = Studied(latents(), [["a embedding:it"]] * 4, "")
    return WordPupil(model(), texts(), [lesson], Way(), CPU, "it", table)


def control() -> ControlPupil:
    """A copy of the small U-Net's first half."""
    return ControlPupil(model(), [studied(hints=True)], Way(), CPU, (4, 4, 8, 8))


def lora_in_texts() -> LoraPupil:
    """Adapters in the text encoder too."""
    torch.manual_seed(0)
    return LoraPupil(model(), texts(), [told()], Way(), CPU, rank=2)


def fixed_loss(pupil: Lessons) -> float:
    """The loss with always the same noise."""
    return float(pupil.loss(16, torch.Generator().manual_seed(3), 0.0).detach())


@pytest.mark.parametrize("made", [lora, word, control, lora_in_texts])
def test_a_pupil_learns_and_the_model_stays(
    made: Callable[[], LoraPupil | WordPupil | ControlPupil], tmp_path: Path
) -> None:
    """The loss falls, every part of what learns moves, and the networks keep every bit."""
    pupil = made()
    own = {id(weight) for weight in pupil.network.parameters()}
    network = pupil.taught.network
    assert isinstance(network, UNet)
    towers = [tower.network for tower in pupil.texts.towers.values()] if pupil.texts else []
    frozen = [p for one in (network, *towers) for p in one.parameters() if id(p) not in own]
    before = [weight.clone() for weight in frozen]
    first, start = [p.detach().clone() for p in pupil.network.parameters()], fixed_loss(pupil)
    rate = 0.5 if made is word else 5e-3
    for _ in Learning(pupil, Plan(steps=12, rate=rate, batch=4)).steps(tmp_path / "12.pt"):
        pass
    assert fixed_loss(pupil) < start
    moved = [not a.equal(b) for a, b in zip(first, pupil.network.parameters(), strict=True)]
    assert sum(moved) > 0.9 * len(moved)
    assert all(map(torch.equal, before, frozen))


def test_blocks_computed_anew_give_the_same_gradient() -> None:
    """Bit for bit: only memory is saved."""
    plain, frugal = lora(), lora(Way(checkpointing=True))
    for pupil in (plain, frugal):
        torch.autograd.backward([pupil.loss(4, torch.Generator().manual_seed(2), 0.0)])
    for one, other in zip(plain.network.parameters(), frugal.network.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)


def test_what_shall_stay_is_learnt_beside_with_its_weight() -> None:
    """Its loss is added."""
    torch.manual_seed(0)
    both = [studied(), studied()]
    losses = [
        fixed_loss(LoraPupil(model(), None, both, Way(prior=weight), CPU, rank=2))
        for weight in (0.0, 0.5, 1.0)
    ]
    assert losses[1] - losses[0] == pytest.approx(losses[2] - losses[1], rel=1e-3)
    assert losses[1] > losses[0]


@torch.no_grad()  # what learns reckons attention in another way, equal but for rounding
def test_nothing_learnt_draws_nothing_else() -> None:
    """Fresh adapters, and a fresh control, leave every answer as it is."""
    torch.manual_seed(0)
    asked = noised(latents(), model().schedule, torch.Generator().manual_seed(1))
    inputs = Inputs(torch.randn(4, 7, 32))
    plain = error(model(), asked, inputs, Measure())
    assert error(lora().taught, asked, inputs, Measure()).equal(plain)
    pupil = control()
    drawn = pupil.studied[0].drawn(4, torch.Generator().manual_seed(1), 0.0)
    residuals = pupil.residuals(drawn, asked, inputs)
    assert error(model(), asked, inputs, Measure(), residuals).equal(plain)


def test_who_cannot_be_taught_is_refused() -> None:
    """With what is wrong and what would help."""
    other = replace(model(), reading=Reading("lcm"), family="Stable Diffusion 1")
    with pytest.raises(CannotLearn, match=r"^this model of Stable Diffusion 1 is read as 'lcm'"):
        LoraPupil(other, None, [studied()], Way(), CPU)
    with pytest.raises(CannotLearn, match=r"got 4 pictures and 3 captions$"):
        Studied(latents(), [[Conditioning(torch.zeros(1, 7, 32))]] * 3)
    with pytest.raises(CannotLearn, match=r"^want a loss of MSE, L1, Huber, SmoothL1, got 'x'$"):
        Measure("x")


def test_a_name_tells_whether_anything_differs() -> None:
    """Every tensor, format, text and number counts; equal things have one name."""
    network = randomised(torch.nn.Linear(2, 2), 1)
    names = [
        identity(network, 1, "a"),
        identity(randomised(torch.nn.Linear(2, 2), 1), 1, "a"),
        identity(randomised(torch.nn.Linear(2, 2), 2), 1, "a"),
        identity(network, 1.0, "a"),
        identity(network, "1", "a"),
        identity(network, 1, ["a"]),
        identity(network.half(), 1, "a"),
    ]
    assert names[0] == names[1]
    assert len(set(names)) == len(names) - 1
    with pytest.raises(TypeError, match=r"^a object cannot be named by what is in it$"):
        identity(object())


@torch.no_grad()
@pytest.mark.parametrize("family", [SD35_MEDIUM, FLUX_DEV])
def test_what_a_transformer_learnt_is_read_back_from_its_names(family: Family) -> None:
    """Every adapter of its blocks has a name in files, and merged it answers as it learnt."""
    network = network_of(family)
    learner = adapted(network, BLOCKS, 2, 1.0)
    randomised(learner.adapters, 7)
    tensors = named(learner.by_path, network, "lora_unet_", torch.float32)
    file = read_lora(Path("memory"), tensors, {})
    fitting = fit(file, network, network_places(network), family.name)
    assert len(fitting.used) == len(file.changes) == len(learner.by_path)
    draw = torch.Generator().manual_seed(2)
    config = network.config
    told = [
        torch.randn(1, 16, 8, 8, generator=draw),
        torch.tensor([400.0]),
        torch.randn(1, 5, config.context_width, generator=draw),
        torch.randn(1, config.pooled_width, generator=draw),
    ]
    if isinstance(config, FluxConfig) and config.guided:
        told.append(torch.tensor([3.5]))
    merged_network = merged(network, fitting.edits, 1.0)
    torch.testing.assert_close(merged_network(*told), learner.network(*told), rtol=1e-3, atol=1e-4)
    assert not merged_network(*told).equal(network(*told))
