"""A model that edits is shown the picture beside the latent."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.library.test_families import drawn, prompted, written
from torch import Tensor

from safelight.graph.folders import Folders
from safelight.graph.node import NullContext
from safelight.library.editing import InstructPixToPixConditioning
from safelight.library.inpainting import Repainted
from safelight.library.latent import VAEEncode
from safelight.library.loading import CheckpointLoaderSimple, Parts
from safelight.library.values import Image

PIXELS = Image(torch.rand(1, 37, 70, 3, generator=torch.Generator().manual_seed(1)))


@pytest.fixture
def editing(tmp_path: Path) -> tuple[NullContext, Parts]:
    """A tiny model that edits, loaded, and where it lies."""
    folders = Folders(tmp_path)
    folders.create()
    written("sd1-edit", tmp_path / "models" / "checkpoints" / "m.safetensors")
    ctx = NullContext(folders)
    return ctx, CheckpointLoaderSimple(ckpt_name="m.safetensors").run(ctx)


def told(ctx: NullContext, parts: Parts) -> Repainted:
    """The prompts with the picture."""
    node = InstructPixToPixConditioning(
        positive=prompted(parts, ctx, "a red cat"),
        negative=prompted(parts, ctx, ""),
        vae=parts.vae,
        pixels=PIXELS,
    )
    return node.run(ctx)


def test_both_prompts_are_told_the_picture(editing: tuple[NullContext, Parts]) -> None:
    """As the autoencoder gives it, cut to whole latent pixels; the walk starts from noise."""
    ctx, parts = editing
    found = told(ctx, parts)
    whole = VAEEncode(pixels=Image(PIXELS.pixels[:, 2:34, 3:67]), vae=parts.vae).run(ctx)
    for said in (found.positive, found.negative):
        assert said.whole.beside is not None
        assert torch.equal(said.whole.beside, whole.samples)
    assert found.latent.samples.shape == (1, 4, 4, 8)
    assert found.latent.samples.count_nonzero() == 0


def test_the_network_sees_the_picture_or_zeros(editing: tuple[NullContext, Parts]) -> None:
    """Four channels of noisy latent, then four of the picture."""
    ctx, parts = editing
    seen: list[Tensor] = []

    def network(z: Tensor, timestep: Tensor, tokens: Tensor) -> Tensor:
        seen.append(z)
        return z[:, :4]

    model = replace(parts.model.denoiser, network=network)
    positive = told(ctx, parts).positive.whole
    for said in (positive, prompted(parts, ctx, "a cat").whole):
        model.told(said)(torch.ones(1, 4, 4, 8), torch.tensor(1.0))
    assert all(z.shape == (1, 8, 4, 8) for z in seen)
    assert positive.beside is not None
    torch.testing.assert_close(seen[0][:, 4:], positive.beside)
    assert seen[1][:, 4:].count_nonzero() == 0


def test_another_picture_is_edited_to_another(editing: tuple[NullContext, Parts]) -> None:
    """With the same prompt and the same noise."""
    ctx, parts = editing
    plain = drawn(parts, ctx, prompted(parts, ctx, "a red cat")).samples
    edited = drawn(parts, ctx, told(ctx, parts).positive).samples
    assert torch.isfinite(edited).all()
    assert not torch.allclose(edited, plain, atol=1e-3)
