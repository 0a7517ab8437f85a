"""Latents come back from their files as they were."""

from pathlib import Path

import pytest
import torch

from safelight.diffusion.latent import SDXL
from safelight.diffusion.weights import CheckpointError, open_checkpoint, save_checkpoint
from safelight.graph.folders import Folders
from safelight.graph.node import NullContext
from safelight.library.latent_files import LoadLatent, SaveLatent
from safelight.library.saving import Kept
from safelight.library.values import Latent


def test_a_latent_comes_back_with_its_family_and_tells_its_workflow(folders: Folders) -> None:
    """Bit for bit."""
    old = Latent(torch.randn(2, 4, 8, 8), SDXL)
    shown = SaveLatent(samples=old).run(NullContext(folders, {"prompt": {"1": {}}}))
    assert isinstance(shown, Kept)
    (path,) = shown.paths
    assert path.name == "safelight_00001_.latent"
    assert open_checkpoint(path).metadata["prompt"] == '{"1": {}}'
    path.rename(folders.home / "input" / path.name)
    assert not SaveLatent.holds(shown)
    new = LoadLatent(latent=path.name).run(NullContext(folders))
    assert torch.equal(new.samples, old.samples)
    assert new.format is SDXL


def test_files_of_other_programs_are_read_and_other_files_refused(folders: Folders) -> None:
    """The oldest are in Stable Diffusion 1's scale."""
    place: Path = folders.home / "input"
    samples = torch.randn(1, 4, 8, 8)
    save_checkpoint(place / "a.latent", {"latent_tensor": samples}, {})
    old = LoadLatent(latent="a.latent").run(NullContext(folders))
    torch.testing.assert_close(old.samples * 0.18215, samples)
    assert old.format is not None
    assert not old.format.certain
    save_checkpoint(place / "b.latent", {"x": samples}, {})
    with pytest.raises(
        CheckpointError, match=r"b\.latent: it holds no latents of pictures \(latent_tensor\)$"
    ):
        LoadLatent(latent="b.latent").run(NullContext(folders))
