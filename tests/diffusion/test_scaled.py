"""Weights of eight bits with a scale mean what they stand for."""

from pathlib import Path

import pytest
import torch
from tests.diffusion.peers import error
from tests.diffusion.transformers import FLUX, flux, question
from torch import Tensor

from safelight.diffusion.containers import open_container
from safelight.diffusion.split import load_denoiser
from safelight.diffusion.tables import bfl_flux
from safelight.diffusion.weights import CheckpointError, exported, save_checkpoint

E4M3, E5M2 = torch.float8_e4m3fn, torch.float8_e5m2
SCALE = torch.tensor(0.25)


def opened(path: Path, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Write tensors and read them back."""
    own = {name: tensor.clone() for name, tensor in tensors.items()}
    save_checkpoint(path / "a.safetensors", own, {})
    return dict(open_container(path / "a.safetensors").tensors)


@pytest.mark.parametrize(
    "ends", [(".scale_weight", ".scale_input"), (".weight_scale", ".input_scale")]
)
@pytest.mark.parametrize("dtype", [E4M3, E5M2])
@pytest.mark.parametrize("scale", [SCALE, SCALE[None], torch.tensor([0.5, 2.0]), torch.ones(2, 1)])
def test_a_weight_is_multiplied_by_its_scale(
    ends: tuple[str, str], dtype: torch.dtype, scale: Tensor, tmp_path: Path
) -> None:
    """One number for all, or one for each row; what else there is stays as it is."""
    eight = torch.randn(2, 3, generator=torch.manual_seed(0)).to(dtype)
    bias = torch.randn(2)
    found = opened(
        tmp_path,
        {"m.x.weight": eight, "m.x.bias": bias, f"m.x{ends[0]}": scale, f"m.x{ends[1]}": SCALE},
    )
    assert set(found) == {"m.x.weight", "m.x.bias"}
    wanted = eight.float() * scale.reshape(-1, 1)
    assert found["m.x.weight"].dtype == torch.bfloat16
    torch.testing.assert_close(found["m.x.weight"].float(), wanted, rtol=2**-8, atol=0)
    assert torch.equal(found["m.x.bias"], bias)


def test_a_whole_denoiser_in_scaled_eight_bits(tmp_path: Path) -> None:
    """It opens like any other, and draws nearly the same."""
    network = flux()
    tensors = exported(network, bfl_flux.table(FLUX))
    scaled: dict[str, Tensor] = {"scaled_fp8": torch.zeros(2, dtype=E4M3)}
    for name, tensor in tensors.items():
        if name.endswith(".weight") and tensor.ndim == 2 and "blocks" in name:
            scale = tensor.abs().max() / 448
            scaled[name] = (tensor / scale).to(E4M3)
            scaled[name.removesuffix(".weight") + ".scale_weight"] = scale
        else:
            scaled[name] = tensor
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, scaled, {})
    bundle = load_denoiser(path)
    ask = question(network)
    with torch.no_grad():
        theirs = bundle.network.float()(*ask.all)
        ours = network(*ask.all)
    assert bundle.family.name == "Flux dev"
    assert 0 < error(theirs, ours) < 0.1


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"x.scale_weight": SCALE}, "x.scale_weight: there is no x.weight"),
        (
            {"x.weight": torch.ones(2, 3).to(E4M3), "x.scale_weight": torch.ones(3)},
            "x.scale_weight: [3] for a weight of [2, 3]",
        ),
        (
            {"scaled_fp8": torch.zeros(2).to(E4M3), "x.weight": torch.ones(2, 3).to(E4M3)},
            "x.weight: it has no scale",
        ),
    ],
)
def test_scales_that_do_not_fit_are_refused(
    tensors: dict[str, Tensor], message: str, tmp_path: Path
) -> None:
    """Where the file is opened, with every name."""
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, {"y": torch.ones(1), **tensors}, {})
    with pytest.raises(CheckpointError) as refused:
        open_container(path)
    assert str(refused.value) == (f"{path}: 1 of its scales of fp8 cannot be used:\n  {message}")


@pytest.mark.parametrize(
    ("weight", "scale", "message"),
    [
        (torch.ones(2, 3), SCALE, "x.weight has a scale, but is float32 instead of fp8"),
        (
            torch.ones(2, 3, dtype=torch.uint8),
            SCALE,
            "x.weight has a scale, but is uint8 instead of fp8",
        ),
        (torch.ones(2, 3).to(E4M3), -SCALE, "x.weight_scale is not a number above 0"),
        (torch.ones(2, 3).to(E4M3), SCALE / 0, "x.weight_scale is not a number above 0"),
    ],
)
def test_a_weight_that_cannot_be_scaled_is_refused(
    weight: Tensor, scale: Tensor, message: str, tmp_path: Path
) -> None:
    """When it is asked for, for then it is read."""
    with pytest.raises(CheckpointError) as refused:
        opened(tmp_path, {"a": torch.ones(1), "x.weight": weight, "x.weight_scale": scale})
    assert str(refused.value) == f"{tmp_path / 'a.safetensors'}: {message}"
