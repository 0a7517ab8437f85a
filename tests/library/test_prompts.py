"""Prompts that mention files of the folder embeddings."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

import safelight.library
from safelight.diffusion.texts import TextsError
from safelight.diffusion.textual_inversion import InversionError
from safelight.diffusion.weights import CheckpointError, save_checkpoint
from safelight.graph.catalog import Catalog
from safelight.graph.executor import Cached, Surroundings, execute
from safelight.graph.folders import Folders
from safelight.graph.node import NullContext
from safelight.graph.wiring import Call, Graph, Link
from safelight.library.conditioning import CLIPTextEncode
from safelight.library.loading import CheckpointLoaderSimple
from safelight.library.prompts import PICKLES, stamped
from safelight.library.values import Conditioning

CATALOG = Catalog.of(safelight.library)


def taught(folders: Folders, name: str, width: int = 32, seed: int = 1) -> None:
    """Put a file of two new words into the folder."""
    rows = torch.randn(2, width, generator=torch.Generator().manual_seed(seed))
    save_checkpoint(folders.directory("embeddings") / name, {"emb_params": rows}, {})


def heard(folders: Folders, prompt: str) -> Tensor:
    """What the tiny model hears of a prompt."""
    ctx = NullContext(folders)
    clip = CheckpointLoaderSimple(ckpt_name="tiny.safetensors").run(ctx).clip
    return CLIPTextEncode(text=prompt, clip=clip).run(ctx).whole.tokens


def test_a_file_in_the_folder_is_a_word_in_prompts(folders: Folders) -> None:
    """Also below a folder of its own, and with a weight."""
    taught(folders, "snail.safetensors")
    taught(folders, "animals/slug.safetensors", seed=2)
    plain = heard(folders, "a  hat")
    told = heard(folders, "a embedding:snail hat")
    assert not torch.equal(told, plain)
    assert not torch.equal(told, heard(folders, "a embedding:animals/slug hat"))
    assert not torch.equal(told, heard(folders, "a (embedding:snail:1.2) hat"))
    assert torch.equal(told, heard(folders, "a embedding:snail.safetensors hat"))


def test_a_name_without_a_file_is_refused_with_those_there_are(folders: Folders) -> None:
    """The node that reads the prompt says so."""
    taught(folders, "snail.safetensors")
    with pytest.raises(TextsError, match=r"not there: snial \(there are: snail\)"):
        heard(folders, "a embedding:snial")


def test_a_word_of_another_width_is_refused(folders: Folders) -> None:
    """With both widths."""
    taught(folders, "wide.safetensors", width=768)
    with pytest.raises(
        InversionError, match="'wide' has rows of 768 numbers; words of this model have 32"
    ):
        heard(folders, "embedding:wide")


def test_a_name_never_leads_out_of_the_folder(folders: Folders, tmp_path: Path) -> None:
    """A prompt cannot read other files."""
    save_checkpoint(tmp_path / "models" / "out.safetensors", {"emb_params": torch.ones(1, 32)}, {})
    with pytest.raises(TextsError, match=r"not there: \.\./out"):
        heard(folders, "embedding:../out")


def test_pickles_are_words_only_where_they_are_trusted(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An environment variable says so."""
    path = folders.directory("embeddings") / "old.pt"
    torch.save({"string_to_param": {"*": torch.ones(1, 32)}}, path)
    with pytest.raises(TextsError, match="not there: old"):
        heard(folders, "a embedding:old")
    monkeypatch.setenv(PICKLES, "1")
    assert not torch.equal(heard(folders, "a embedding:old"), heard(folders, "a"))
    path.write_bytes(b"\x80\x04cos\nsystem\n.")
    with pytest.raises(CheckpointError, match="this pickle cannot be read"):
        heard(folders, "a embedding:old")


def test_a_changed_file_is_read_again(folders: Folders) -> None:
    """Also where the prompt comes by a wire; other files change nothing."""
    taught(folders, "snail.safetensors")
    clip, said = Link("1", 1), "a embedding:snail"
    calls = {
        "1": Call("CheckpointLoaderSimple", 1, {"ckpt_name": "tiny.safetensors"}),
        "2": Call("PrimitiveString", 1, {"value": said}),
        "3": Call("CLIPTextEncode", 1, {"text": Link("2", 0), "clip": clip}),
        "4": Call("CLIPTextEncode", 1, {"text": said, "clip": clip}),
    }
    graph = Graph(calls, ("3", "4"))
    cache: dict[str, object] = {}

    def run() -> tuple[list[str], list[Tensor]]:
        known: list[str] = []

        def hear(event: object) -> None:
            if isinstance(event, Cached):
                known.extend(event.nodes)

        found = execute(graph, CATALOG, Surroundings(folders), cache=cache, observe=hear)
        values = [found[key] for key in ("3", "4")]
        assert all(isinstance(value, Conditioning) for value in values)
        return known, [v.whole.tokens for v in values if isinstance(v, Conditioning)]

    _, before = run()
    assert torch.equal(*before)
    assert {"3", "4"} <= set(run()[0])
    taught(folders, "snail.safetensors", seed=7)
    known, after = run()
    assert not {"3", "4"} & set(known)
    assert torch.equal(*after)
    assert not torch.equal(before[0], after[0])


def test_a_prompt_without_mentions_depends_on_no_file(folders: Folders) -> None:
    """Its remembered result stays good whatever comes into the folder."""
    before = stamped(folders, "a cat")
    taught(folders, "snail.safetensors")
    assert stamped(folders, "a cat") == before == ""
    assert stamped(folders, "embedding:snail") != before
