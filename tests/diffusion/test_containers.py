"""GGUF files and shards open like any checkpoint."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.diffusion.peers import error
from tests.diffusion.transformers import flux, mmdit, question
from torch import Tensor

from safelight.diffusion import containers
from safelight.diffusion.containers import T5_NAMES, open_container
from safelight.diffusion.split import load_denoiser
from safelight.diffusion.tables import bfl_flux, sd3_mmdit
from safelight.diffusion.weights import CheckpointError, exported, save_checkpoint

gguf = pytest.importorskip("gguf", reason="the package gguf is not installed")


def write_gguf(path: Path, tensors: dict[str, Tensor], kind: str) -> None:
    """Write tensors in one of GGUF's formats."""
    writer = gguf.GGUFWriter(str(path), "test")
    wanted = gguf.GGMLQuantizationType[kind]
    for name, tensor in tensors.items():
        data = gguf.quants.quantize(tensor.numpy(), wanted)
        writer.add_tensor(name, data, raw_dtype=wanted)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.mark.parametrize(
    ("kind", "dtype", "error"),
    [
        ("F32", torch.float32, 0.0),
        ("F16", torch.float16, 1e-3),
        ("BF16", torch.bfloat16, 1e-2),
        ("Q8_0", torch.float16, 2e-2),
        ("Q4_0", torch.float16, 3e-1),
    ],
)
def test_a_gguf_tensor_has_its_shape_and_about_its_numbers(
    kind: str, dtype: torch.dtype, error: float, tmp_path: Path
) -> None:
    """Plain formats keep theirs, blocks become float16."""
    original = torch.randn(6, 64, generator=torch.manual_seed(0))
    path = tmp_path / "a.gguf"
    write_gguf(path, {"double_blocks.0.img_mod.lin.weight": original}, kind)
    checkpoint = open_container(path)
    assert dict(checkpoint.shapes) == {"double_blocks.0.img_mod.lin.weight": (6, 64)}
    tensor = checkpoint.tensors["double_blocks.0.img_mod.lin.weight"]
    assert tensor.dtype == dtype
    assert (tensor.float() - original).abs().max() <= error


def test_t5_gets_its_own_names_back(tmp_path: Path) -> None:
    """llama.cpp's names are those of the package's own table."""
    table = gguf.tensor_mapping.TensorNameMap(gguf.constants.MODEL_ARCH.T5, 2)
    for theirs, own in T5_NAMES.items():
        assert table.get_name(own.format(1)) == theirs.format(1)
    path = tmp_path / "a.gguf"
    write_gguf(path, {"enc.blk.1.attn_q.weight": torch.ones(2, 32)}, "F32")
    assert list(open_container(path).shapes) == ["encoder.block.1.layer.0.SelfAttention.q.weight"]


def test_a_file_that_is_no_gguf_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And so is every one while the package is missing."""
    path = tmp_path / "a.gguf"
    path.write_bytes(np.zeros(64, dtype=np.uint8).tobytes())
    with pytest.raises(CheckpointError, match=r"not a GGUF file, or damaged: "):
        open_container(path)
    monkeypatch.setattr(containers, "find_spec", lambda name: None)
    with pytest.raises(CheckpointError, match=r"to read GGUF files, install the package gguf$"):
        open_container(path)


def test_shards_are_one_checkpoint(tmp_path: Path) -> None:
    """Each tensor is found where the index says."""
    one, two = {"a": torch.ones(2)}, {"b": torch.zeros(3), "c": torch.ones(1)}
    save_checkpoint(tmp_path / "1.safetensors", one, {"x": "y"})
    save_checkpoint(tmp_path / "2.safetensors", two, {})
    index = tmp_path / "m.safetensors.index.json"
    places = {"a": "1.safetensors", "b": "2.safetensors", "c": "2.safetensors"}
    index.write_text(json.dumps({"metadata": {}, "weight_map": places}))
    checkpoint = open_container(index)
    assert dict(checkpoint.shapes) == {"a": (2,), "b": (3,), "c": (1,)}
    assert all(torch.equal(checkpoint.tensors[n], t) for n, t in (one | two).items())
    assert checkpoint.metadata == {"x": "y"}
    checkpoint.tensors.forget()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", r"this is no index of safetensors files$"),
        ("no", r"this is no index of safetensors files$"),
        ('{"weight_map": {"a": "../1.safetensors"}}', r"it leads out of its folder: \.\./1\.saf"),
        ('{"weight_map": {"z": "1.safetensors"}}', r"it lacks the tensor z, which m\.index\.json"),
        ('{"weight_map": {"z": "9.safetensors"}}', r"9\.safetensors: there is no such file$"),
    ],
)
def test_a_wrong_index_is_refused(text: str, message: str, tmp_path: Path) -> None:
    """The message names the file and what is wrong."""
    save_checkpoint(tmp_path / "1.safetensors", {"a": torch.ones(2)}, {})
    index = tmp_path / "m.index.json"
    index.write_text(text)
    with pytest.raises(CheckpointError, match=message):
        open_container(index)


def test_numbers_of_eight_bits_are_read_as_they_are(tmp_path: Path) -> None:
    """Both formats of fp8 stay what they are until they are computed with."""
    tensors = {
        "a": torch.randn(4).to(torch.float8_e4m3fn),
        "b": torch.randn(4).to(torch.float8_e5m2),
    }
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, tensors, {})
    found = open_container(path).tensors
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name].float(), tensor.float())


@pytest.mark.parametrize("made", [mmdit, flux], ids=["sd3", "flux"])
@torch.no_grad()
def test_a_whole_denoiser_in_blocks_draws_nearly_the_same(
    made: Callable[[], Any], tmp_path: Path
) -> None:
    """Weights in blocks of 32, what is small in plain numbers; its family is recognised."""
    network = made()
    table = bfl_flux.table if made is flux else sd3_mmdit.table
    path = tmp_path / "a.gguf"
    writer = gguf.GGUFWriter(str(path), "flux" if made is flux else "sd3")
    for name, tensor in exported(network, table(network.config)).items():
        blocks = tensor.ndim == 2 and tensor.shape[1] % 32 == 0
        kind = gguf.GGMLQuantizationType["Q8_0" if blocks else "F32"]
        writer.add_tensor(name, gguf.quants.quantize(tensor.numpy(), kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    bundle = load_denoiser(path)
    assert bundle.family.name == ("Flux dev" if made is flux else "Stable Diffusion 3 medium")
    ask = question(network)
    assert error(bundle.network.float()(*ask.all), network(*ask.all)) < 0.05
