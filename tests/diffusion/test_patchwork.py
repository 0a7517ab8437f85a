"""Several things said of one picture, against recorded answers, and by laws."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from safelight.diffusion.conditioning import Conditioning
from safelight.diffusion.denoiser import LatentModel
from safelight.diffusion.guidance import guided
from safelight.diffusion.region import Box, Region, Shares
from safelight.diffusion.schedule import NoiseSchedule, scaled_linear

SCHEDULE = NoiseSchedule.of(scaled_linear())
FOLDER = Path(__file__).parent.parent / "references"
ENTRIES: list[dict[str, Any]] = json.loads((FOLDER / "regions.json").read_text())["entries"]


@pytest.fixture(scope="module")
def recorded() -> dict[str, Tensor]:
    """Answers of the toy model: one picture, two of its channels."""
    return load_file(FOLDER / "regions.safetensors")


class Toy:
    """The toy model of the recordings as a network that predicts noise; it notes its calls."""

    def __init__(self, sigma: float) -> None:
        self.sigma = sigma
        self.seen: list[tuple[int, ...]] = []

    def __call__(self, z: Tensor, timestep: Tensor, tokens: Tensor) -> Tensor:
        """Return the noise for which x - sigma * noise is the toy's guess."""
        self.seen.append(tuple(z.shape))
        x = z * (1 + self.sigma**2) ** 0.5
        mean = tokens.mean(dim=(1, 2)).reshape(-1, 1, 1, 1)
        guess = x / (1 + self.sigma) + mean * (1 + x.mean(dim=(2, 3), keepdim=True))
        return (x - guess) / self.sigma


def said(entry: dict[str, Any], recorded: dict[str, Tensor]) -> Conditioning:
    """One thing of a recorded case."""
    area = entry.get("area")
    if area is not None:
        area = Shares(*area[1:]) if area[0] == "percentage" else Box(*area)
    mask = entry.get("mask")
    region = Region(
        area,
        None if mask is None else recorded[f"mask.{mask}"],
        entry.get("mask_strength", 1.0),
        entry.get("set_area_to_bounds", False),
        entry.get("strength", 1.0),
        entry.get("start_percent", 0.0),
        entry.get("end_percent", 1.0),
    )
    return Conditioning(recorded[f"context.{entry['c']}"], region=region)


def together(entries: list[dict[str, Any]], recorded: dict[str, Tensor]) -> Conditioning:
    """All that one side of a recorded case says."""
    first, *others = (said(entry, recorded) for entry in entries)
    for other in others:
        first = first.joined(other)
    return first


@pytest.mark.parametrize("entry", ENTRIES, ids=[entry["key"] for entry in ENTRIES])
def test_regions_are_weighed_as_recorded(
    entry: dict[str, Any], recorded: dict[str, Tensor]
) -> None:
    """Areas, masks, strengths and ranges, with guidance, to 1e-12."""
    model = LatentModel(Toy(entry["sigma"]), SCHEDULE, "eps")
    positive, negative = (
        model.told(together(entry[side], recorded)) for side in ("positive", "negative")
    )
    sigma = torch.tensor(entry["sigma"], dtype=torch.float64)
    answer = guided(positive, negative, entry["scale"])(recorded["x"], sigma)
    wanted = recorded[f"{entry['key']}.denoised"]
    torch.testing.assert_close(answer, wanted, rtol=1e-12, atol=1e-12)


def asked(said: Conditioning, batch: int = 2) -> tuple[Tensor, Toy]:
    """Ask the toy about a batch of random latents of 16 x 24."""
    toy = Toy(2.0)
    x = torch.randn(batch, 4, 16, 24, generator=torch.Generator().manual_seed(0)).double()
    told = LatentModel(toy, SCHEDULE, "eps").told(said)
    return told(x, torch.tensor(2.0, dtype=torch.float64)), toy


A, B = (Conditioning(torch.full((1, 77, 4), value).double()) for value in (1.0, 3.0))


def with_region(said: Conditioning, **settings: Any) -> Conditioning:
    """Say it in a region."""
    return said.with_region(Region(**settings))


def test_saying_the_same_twice_is_saying_it_once() -> None:
    """(D + D) / 2 = D."""
    torch.testing.assert_close(asked(A.joined(A))[0], asked(A)[0])


def test_strength_counts_only_against_others() -> None:
    """Alone, any strength is the whole; beside another it is a share."""
    assert torch.equal(asked(with_region(A, strength=0.3))[0], asked(A)[0])
    mixed = asked(with_region(A, strength=3.0).joined(B))[0]
    torch.testing.assert_close(mixed, (3 * asked(A)[0] + asked(B)[0]) / 4)


def test_two_masks_that_share_the_picture_divide_it() -> None:
    """Each pixel hears what is said under its own mask."""
    mask = torch.zeros(1, 16, 24)
    mask[:, :, :10] = 1
    both = asked(with_region(A, mask=mask).joined(with_region(B, mask=1 - mask)))[0]
    torch.testing.assert_close(both[..., :10], asked(A)[0][..., :10])
    torch.testing.assert_close(both[..., 10:], asked(B)[0][..., 10:])


def test_each_picture_of_a_batch_has_its_mask() -> None:
    """Two masks for two pictures; where nothing is said the guess is 0."""
    mask = torch.stack([torch.zeros(16, 24), torch.ones(16, 24)])
    both = asked(with_region(A, mask=mask))[0]
    assert both[0].count_nonzero() == 0
    assert torch.equal(both[1], asked(A)[0][1])


def test_patches_of_one_size_are_one_batch() -> None:
    """Two areas of 8 x 8 and two things said of the whole: two calls."""
    parts = [with_region(A, area=Box(8, 8, 0, left)) for left in (0, 16)]
    toy = asked(A.joined(B).joined(parts[0]).joined(parts[1]))[1]
    assert sorted(toy.seen) == [(4, 4, 8, 8), (4, 4, 16, 24)]


def test_an_area_outside_the_latent_is_left_out() -> None:
    """A workflow made for a larger picture still runs."""
    outside = with_region(B, area=Box(8, 8, 16, 0))
    assert torch.equal(asked(A.joined(outside))[0], asked(A)[0])


def test_an_empty_mask_bounds_the_corner() -> None:
    """Its bounds are the first 8 x 8 pixels, where it weighs nothing."""
    region = Region(mask=torch.zeros(1, 16, 24), bounded=True)
    assert region.box(16, 24) == Box(8, 8, 0, 0)
    assert region.weight(16, 24).count_nonzero() == 0
