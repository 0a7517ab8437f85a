"""Nodes that place steps and cut sigmas, against recorded numbers."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from safelight.diffusion.denoiser import LatentModel
from safelight.diffusion.latent import SD1
from safelight.diffusion.published import align_your_steps
from safelight.diffusion.schedule import NoiseSchedule, scaled_linear
from safelight.graph.catalog import Catalog
from safelight.graph.node import Node, NullContext
from safelight.library import schedulers
from safelight.library.values import Model
from safelight.library.walks import Sigmas

RECORDED = json.loads((Path(__file__).parent.parent / "references" / "schedules.json").read_text())[
    "nodes"
]
NODES = Catalog.of(schedulers)
CTX = NullContext()
UNTAUGHT = Model(
    nn.Identity(),
    LatentModel(nn.Identity(), NoiseSchedule.of(scaled_linear()), "eps"),
    SD1,
    "a model of which only the levels of noise are asked",
)


@pytest.mark.parametrize(
    "case",
    [case for case in RECORDED if case["node"] in NODES],
    ids=lambda case: f"{case['node']}-{'-'.join(str(value) for value in case['inputs'].values())}",
)
def test_scheduler_node_gives_the_recorded_sigmas(case: dict[str, Any]) -> None:
    """Every node that places steps agrees with the reference to single precision."""
    node: type[Node] = NODES[case["node"]]
    inputs = dict(case["inputs"])
    if "model" in node.__dataclass_fields__:
        inputs["model"] = UNTAUGHT
    made = node(**inputs).run(CTX)
    assert isinstance(made, Sigmas)
    assert made.levels.dtype == torch.float32
    assert made.levels.tolist() == pytest.approx(case["sigmas"], rel=1e-5)


def test_all_recorded_scheduler_nodes_are_here() -> None:
    """None is left out of the comparison by a misspelt name."""
    assert {case["node"] for case in RECORDED} <= set(NODES)


def test_sigmas_can_be_cut_flipped_and_set() -> None:
    """Numbers in, numbers out."""
    sigmas = Sigmas(torch.tensor([4.0, 3.0, 2.0, 1.0, 0.0]))
    cut = schedulers.SplitSigmasDenoise(sigmas=sigmas, denoise=0.5).run(CTX)
    assert cut.high.levels.tolist() == [4, 3, 2]
    assert cut.low.levels.tolist() == [2, 1, 0]
    none = schedulers.SplitSigmasDenoise(sigmas=sigmas, denoise=0.0).run(CTX)
    assert none.high.levels.tolist() == [4, 3, 2, 1, 0]
    flipped = schedulers.FlipSigmas(sigmas=sigmas).run(CTX)
    assert flipped.levels.tolist() == pytest.approx([0.0001, 1, 2, 3, 4])
    first = schedulers.SetFirstSigma(sigmas=sigmas, sigma=9.0).run(CTX)
    assert first.levels.tolist() == [9, 3, 2, 1, 0]
    assert sigmas.levels.tolist() == [4, 3, 2, 1, 0]  # whoever else holds them sees no change


def test_a_percentage_of_the_way_has_a_sigma() -> None:
    """Its ends are above and below everything, or the model's own."""

    def at(share: float, actual: bool = False) -> float:
        node = schedulers.SamplingPercentToSigma(
            model=UNTAUGHT, sampling_percent=share, return_actual_sigma=actual
        )
        return node.run(CTX)

    ends = UNTAUGHT.denoiser.schedule
    assert (at(0.0), at(1.0)) == (999_999_999.9, 0.0)
    assert (at(0.0, True), at(1.0, True)) == (ends.sigma_max, ends.sigma_min)
    assert at(0.5) == pytest.approx(1.6155803, rel=1e-5)


def test_unknown_families_have_no_aligned_steps() -> None:
    """The refusal names those that have."""
    with pytest.raises(ValueError, match=r"^no aligned steps for 'SD9'; there are SD1, SDXL, SVD$"):
        align_your_steps("SD9", 10)
