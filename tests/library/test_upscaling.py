"""Pictures are enlarged by a network, in tiles if they must."""

import pytest
import torch

from safelight.diffusion.tables.esrgan import compact_table
from safelight.diffusion.upscaler import CompactConfig, CompactNet
from safelight.diffusion.weights import exported, save_checkpoint
from safelight.graph.folders import Folders
from safelight.graph.node import NullContext
from safelight.library import upscaling
from safelight.library.upscaling import ImageUpscaleWithModel, UpscaleModelLoader
from safelight.library.values import Image


def test_a_picture_is_enlarged_by_the_networks_factor(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tiles that overlap by more than the network sees give the whole; memory that runs out
    makes them smaller.
    """
    torch.manual_seed(0)
    network = CompactNet(CompactConfig(width=4, convolutions=3, scale=2))
    path = folders.directory("upscale_models") / "x2.safetensors"
    save_checkpoint(path, exported(network, compact_table(3)), {})
    ctx = NullContext(folders)
    model = UpscaleModelLoader(model_name="x2.safetensors").run(ctx)
    node = ImageUpscaleWithModel(upscale_model=model, image=Image(torch.rand(2, 40, 30, 3)))
    whole = node.run(ctx)
    assert whole.pixels.shape == (2, 80, 60, 3)
    monkeypatch.setattr(upscaling, "SMALLEST", 8)
    forward = CompactNet.forward

    def choking(self: CompactNet, x: torch.Tensor) -> torch.Tensor:
        if x.shape[-1] > 20:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(self, x)

    monkeypatch.setattr(CompactNet, "forward", choking)
    monkeypatch.setattr(upscaling, "OVERLAP", 12)
    torch.testing.assert_close(node.run(ctx).pixels, whole.pixels, atol=0.05, rtol=0)
