import json
import os
import pickle
import re
import struct
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from safelight.diffusion.weights import (
    CheckpointError,
    open_checkpoint,
    save_checkpoint,
)

TENSORS = {
    "half": torch.arange(6, dtype=torch.float16).reshape(2, 3),
    "brain": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
    "count": torch.tensor([[7]]),
    "nothing": torch.empty(0, 3),
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A sound checkpoint."""
    path = tmp_path / "model.safetensors"
    save_file(TENSORS, path, metadata={"author": "nobody"})
    return path


def test_tensors_shapes_and_metadata_are_those_of_the_file(file: Path) -> None:
    """What was saved is what is read."""
    checkpoint = open_checkpoint(file)
    assert checkpoint.metadata == {"author": "nobody"}
    assert checkpoint.shapes == {name: tuple(t.shape) for name, t in TENSORS.items()}
    for name, tensor in TENSORS.items():
        torch.testing.assert_close(checkpoint.tensors[name], tensor, rtol=0, atol=0)


def test_tensors_are_views_of_the_mapped_file(file: Path) -> None:
    """Asking twice gives the same memory: nothing is copied."""
    tensors = open_checkpoint(file).tensors
    assert tensors["half"].data_ptr() == tensors["half"].data_ptr()


def test_a_forgotten_file_is_read_again(file: Path) -> None:
    """Letting go of the memory loses nothing: the tensor is still the file's."""
    tensors = open_checkpoint(file).tensors
    half = tensors["half"]
    tensors.forget()
    torch.testing.assert_close(half, TENSORS["half"], rtol=0, atol=0)


def test_writing_to_a_tensor_leaves_the_file_alone(file: Path) -> None:
    """The mapping is private to the process."""
    before = file.read_bytes()
    open_checkpoint(file).tensors["half"].zero_()
    assert file.read_bytes() == before


def test_a_header_of_odd_length_is_read_all_the_same(tmp_path: Path) -> None:
    """Then no tensor is aligned, and each is copied."""
    header = json.dumps({"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    header += b" " * (8 - len(header) % 8 + 1)
    path = tmp_path / "odd.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + struct.pack("<2f", 1.0, 2.0))
    assert open_checkpoint(path).tensors["x"].tolist() == [1.0, 2.0]


def test_a_header_whose_length_looks_like_a_pickle_is_read(tmp_path: Path) -> None:
    """640 is written 80 02, which is also how pickles begin."""
    header = json.dumps({"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}})
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", 640) + header.ljust(640).encode() + struct.pack("<f", 3.0))
    assert open_checkpoint(path).tensors["x"].tolist() == [3.0]


def with_header(header: object, data: bytes = b"\0" * 8) -> Callable[[Path], object]:
    """Write a file with this header."""
    text = json.dumps(header).encode()
    return lambda path: path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def entry(**changes: object) -> dict[str, object]:
    """A sound header entry, but for the changes."""
    return {"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} | changes}


def cut_short(path: Path) -> None:
    """Save a tensor and lose the last bytes."""
    save_file({"x": torch.zeros(10)}, path)
    os.truncate(path, path.stat().st_size - 7)


REFUSALS: list[tuple[str, Callable[[Path], object], str]] = [
    ("missing", lambda path: None, "there is no such file"),
    ("folder", lambda path: path.mkdir(), "this is a folder, not a checkpoint file"),
    ("empty", lambda path: path.touch(), "not a safetensors file: it has only 0 bytes"),
    ("short", lambda path: path.write_bytes(b"hi"), "not a safetensors file: it has only 2 bytes"),
    (
        "pickle",
        lambda path: torch.save({"x": torch.zeros(2)}, path),
        "this is a pickle, whatever its name says; a pickle can run code when it is opened, "
        "so convert it to safetensors first",
    ),
    (
        "old pickle",
        lambda path: path.write_bytes(pickle.dumps({"x": 1}, protocol=2)),
        "this is a pickle, whatever its name says; a pickle can run code when it is opened, "
        "so convert it to safetensors first",
    ),
    (
        "pointer",
        lambda path: path.write_text("version https://git-lfs.github.com/spec/v1"),
        "this is a Git LFS pointer; the file it stands for was not downloaded",
    ),
    (
        "web page",
        lambda path: path.write_text("<!DOCTYPE html><html></html>"),
        "this is a web page; the download of the file went wrong",
    ),
    (
        "header too large",
        lambda path: path.write_bytes(struct.pack("<Q", 100_000_001) + b"{}"),
        "not a safetensors file: it claims a header of 100000001 bytes, "
        "more than the 100000000 allowed",
    ),
    (
        "header cut",
        lambda path: path.write_bytes(struct.pack("<Q", 1000) + b"{"),
        "cut short: its header should have 1000 bytes and has 1",
    ),
    (
        "header not JSON",
        lambda path: path.write_bytes(struct.pack("<Q", 4) + b"{]{]" + b"\0" * 8),
        "not a safetensors file: its header is not JSON",
    ),
    (
        "header nested beyond reason",
        lambda path: path.write_bytes(struct.pack("<Q", 100_000) + b"[" * 100_000 + b"\0"),
        "not a safetensors file: its header is not JSON",
    ),
    ("header a list", with_header([1, 2]), "not a safetensors file: its header is not a table"),
    ("no tensors", with_header({}, b""), "this safetensors file holds no tensors"),
    ("truncated", cut_short, "cut short: it should have 104 bytes and has 97"),
    (
        "metadata not a table",
        with_header({"__metadata__": 3} | entry()),
        "its header is damaged: the metadata are not a table",
    ),
    ("entry not a table", with_header({"x": 1}), "its header is damaged: cannot read entry 'x'"),
    (
        "negative offset",
        with_header(entry(data_offsets=[-8, 0])),
        "its header is damaged: cannot read entry 'x'",
    ),
    (
        "negative side",
        with_header(entry(shape=[-2])),
        "its header is damaged: cannot read entry 'x'",
    ),
    (
        "size and shape disagree",
        with_header(entry(shape=[3])),
        "its header is damaged: 'x' of [3] F32 in 8 bytes",
    ),
    (
        "unknown number format",
        with_header(entry(dtype="F4")),
        "tensor 'x' has a number format unknown here: F4",
    ),
]


@pytest.mark.parametrize(
    ("make", "reason"), [case[1:] for case in REFUSALS], ids=[case[0] for case in REFUSALS]
)
def test_what_is_no_checkpoint_is_refused(
    make: Callable[[Path], object], reason: str, tmp_path: Path
) -> None:
    """The message names the file and says what is wrong with it."""
    path = tmp_path / "model.safetensors"
    make(path)
    with pytest.raises(CheckpointError, match=f"^{re.escape(f'{path}: {reason}')}$"):
        open_checkpoint(path)


@given(noise=st.binary(max_size=300))
def test_random_bytes_never_raise_anything_else(
    noise: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever the bytes, the answer is a checkpoint or a CheckpointError."""
    path = tmp_path_factory.mktemp("noise") / "model.safetensors"
    path.write_bytes(noise)
    with pytest.raises(CheckpointError):
        open_checkpoint(path)


@given(data=st.data())
def test_a_damaged_byte_never_raises_anything_else(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Flip one byte of a sound file: it opens, or it is refused."""
    path = tmp_path_factory.mktemp("damage") / "model.safetensors"
    save_file({"x": torch.zeros(4), "y": torch.ones(2, 2)}, path)
    damaged = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(damaged) - 1))
    damaged[place] = data.draw(st.integers(0, 255))
    path.write_bytes(damaged)
    try:
        checkpoint = open_checkpoint(path)
    except CheckpointError:
        return
    assert all(checkpoint.tensors[name].shape == s for name, s in checkpoint.shapes.items())


def test_saving_is_read_back_with_its_metadata(tmp_path: Path) -> None:
    """Folders are made on the way; tensors that are not contiguous are written in order."""
    path = tmp_path / "new" / "model.safetensors"
    tensor = torch.arange(6.0).reshape(2, 3).T
    save_checkpoint(path, {"x": tensor}, {"safelight.name": "test"})
    checkpoint = open_checkpoint(path)
    assert checkpoint.metadata["safelight.name"] == "test"
    torch.testing.assert_close(checkpoint.tensors["x"], tensor)


def test_a_failed_save_keeps_the_old_file_and_leaves_nothing_else(file: Path) -> None:
    """Half-written files never take the place of whole ones."""
    before = file.read_bytes()
    with (
        patch("os.replace", side_effect=OSError("disk full")),
        pytest.raises(OSError, match=r"^disk full$"),
    ):
        save_checkpoint(file, {"x": torch.zeros(2)}, {})
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_checkpoint_has_the_permissions_of_any_other_file(tmp_path: Path) -> None:
    """Who may read a text that the user writes may read a model."""
    save_checkpoint(tmp_path / "model.safetensors", {"a": torch.ones(1)}, {})
    (tmp_path / "note.txt").write_text("a note")
    modes = {path.name: path.stat().st_mode for path in tmp_path.iterdir()}
    assert modes["model.safetensors"] == modes["note.txt"]
