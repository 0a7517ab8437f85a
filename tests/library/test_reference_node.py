"""The node that lets a model follow a reference, on the tiny checkpoint."""

from dataclasses import replace

import pytest
import torch

from safelight.graph.folders import Folders
from safelight.graph.node import NullContext
from safelight.library.conditioning import CLIPTextEncode
from safelight.library.loading import CheckpointLoaderSimple
from safelight.library.reference import ReferenceOnly
from safelight.library.sampling import KSampler
from safelight.library.values import FormatMismatch, Latent, Model


def test_a_reference_changes_what_is_drawn_and_a_weight_of_0_does_not(folders: Folders) -> None:
    """From the same noise, with the same words; and the model itself stays."""
    ctx = NullContext(folders)
    parts = CheckpointLoaderSimple(ckpt_name="tiny.safetensors").run(ctx)
    said = CLIPTextEncode(clip=parts.clip, text="a cat").run(ctx)
    reference = Latent(torch.full((2, 4, 6, 4), 3.0), parts.vae.format)
    node = ReferenceOnly(model=parts.model, reference=reference, conditioning=said)

    def drawn(model: Model) -> torch.Tensor:
        walk = KSampler(
            model=model,
            steps=3,
            cfg=2.0,
            sampler_name="euler",
            scheduler="normal",
            positive=said,
            negative=said,
            latent_image=Latent(torch.zeros(2, 4, 4, 4)),
        )
        return walk.run(ctx).samples

    assert replace(node, weight=0.0).run(ctx) is parts.model
    plain = drawn(parts.model)
    assert not drawn(node.run(ctx)).equal(plain)
    later = replace(node, start_percent=1.0)
    assert drawn(later.run(ctx)).equal(plain)
    assert drawn(parts.model).equal(plain)
    other = replace(reference, format=replace(parts.vae.format, name="Flux", channels=16))
    with pytest.raises(FormatMismatch, match=r"^this latent is of Flux, but the model is of"):
        replace(node, reference=other).run(ctx)
