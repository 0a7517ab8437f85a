"""Showing a picture to a model, wired around a tiny random one."""

import pytest
import torch
from tests.diffusion.networks import randomised
from torch import Tensor

from safelight.diffusion.clip_vision import Seen, VisionConfig, VisionEncoder
from safelight.diffusion.ip_adapter import AdapterMismatch, prompt_attentions
from safelight.diffusion.memory import Placement
from safelight.diffusion.perceiver import Perceiver, PerceiverConfig, table
from safelight.diffusion.unet import UNet
from safelight.diffusion.weights import exported, save_checkpoint
from safelight.graph.folders import Folders
from safelight.graph.node import NullContext
from safelight.library.conditioning import CLIPTextEncode
from safelight.library.ip_adapter import IPAdapterApply, IPAdapterLoader
from safelight.library.latent import EmptyLatentImage
from safelight.library.loading import CheckpointLoaderSimple, Parts
from safelight.library.sampling import KSampler
from safelight.library.values import Model
from safelight.library.vision import ClipVisionOutput

SEEN, WIDTH, COUNT = 12, 32, 4
TOWER = VisionEncoder(
    VisionConfig(width=16, layers=2, heads=2, hidden=24, patch_px=4, side_px=8, pooled_width=SEEN)
)
randomised(TOWER, 5)


def seen(value: float, width: int = SEEN) -> ClipVisionOutput:
    """What a tower sees: one number everywhere."""
    nothing = torch.zeros(1, 1, 1)
    return ClipVisionOutput(Seen(nothing, nothing, torch.full((1, width), value)), TOWER)


@pytest.fixture
def parts(folders: Folders) -> Parts:
    """The tiny model, with an adapter for it in the home."""
    found = CheckpointLoaderSimple(ckpt_name="tiny.safetensors").run(NullContext(folders))
    assert isinstance(found.model.network, UNet)
    draw = torch.Generator().manual_seed(0)
    tensors = {
        "image_proj.proj.weight": torch.randn(COUNT * WIDTH, SEEN, generator=draw),
        "image_proj.proj.bias": torch.randn(COUNT * WIDTH, generator=draw),
        "image_proj.norm.weight": torch.ones(WIDTH),
        "image_proj.norm.bias": torch.zeros(WIDTH),
    }
    pairs: dict[str, Tensor] = {}
    for number, words in enumerate(prompt_attentions(found.model.network).values()):
        for name in ("to_k_ip", "to_v_ip"):
            weight = torch.randn(words.key.weight.shape, generator=draw) * 0.3
            pairs[f"ip_adapter.{2 * number + 1}.{name}.weight"] = weight
    place = folders.directory("ipadapter")
    save_checkpoint(place / "tiny.safetensors", tensors | pairs, {})
    plus = Perceiver(PerceiverConfig(TOWER.config.width, WIDTH, COUNT, 64, 32, 1, 1))
    randomised(plus, 6)
    named = exported(plus, table(plus.config))
    save_checkpoint(
        place / "plus.safetensors", {f"image_proj.{n}": t for n, t in named.items()} | pairs, {}
    )
    return found


def shown(
    model: Model,
    folders: Folders,
    what: ClipVisionOutput,
    weight: float = 1.0,
    file: str = "tiny.safetensors",
) -> Model:
    """Show a picture to a model."""
    ctx = NullContext(folders)
    adapter = IPAdapterLoader(ipadapter_file=file).run(ctx)
    node = IPAdapterApply(model=model, ipadapter=adapter, clip_vision_output=what, weight=weight)
    return node.run(ctx)


def drawn(model: Model, parts: Parts, folders: Folders) -> Tensor:
    """Walk two steps with prompts of different length."""
    ctx = NullContext(folders)
    positive = CLIPTextEncode(text="a cat " * 50, clip=parts.clip).run(ctx)
    negative = CLIPTextEncode(text="", clip=parts.clip).run(ctx)
    node = KSampler(
        model=model,
        seed=1,
        steps=2,
        cfg=3.0,
        sampler_name="euler",
        scheduler="normal",
        positive=positive,
        negative=negative,
        latent_image=EmptyLatentImage(width=32, height=32, batch_size=2).run(ctx),
    )
    return node.run(ctx).samples


def test_a_picture_changes_what_is_drawn(parts: Parts, folders: Folders) -> None:
    """Another picture changes it otherwise; weight 0 gives the very same model."""
    blind = drawn(parts.model, parts, folders)
    one, other = (drawn(shown(parts.model, folders, seen(v)), parts, folders) for v in (1.0, -1.0))
    assert bool(one.isfinite().all())
    assert not torch.equal(one, blind)
    assert not torch.equal(one, other)
    assert shown(parts.model, folders, seen(1.0), weight=0.0) is parts.model
    assert torch.equal(drawn(parts.model, parts, folders), blind)


def test_the_plus_kind_hears_the_patches(parts: Parts, folders: Folders) -> None:
    """A picture changes what is drawn; one of nothing is what is kept away from."""
    with torch.no_grad():
        looks = [TOWER(torch.full((1, 3, 8, 8), value)) for value in (1.0, 0.0)]
    picture, nothing = (ClipVisionOutput(look, TOWER) for look in looks)
    model = shown(parts.model, folders, picture, file="plus.safetensors")
    assert not torch.equal(drawn(model, parts, folders), drawn(parts.model, parts, folders))
    place = Placement(torch.device("cpu"), torch.float32)
    torch.testing.assert_close(picture.blank(place), nothing.seen.penultimate)
    with pytest.raises(AdapterMismatch, match=r"wants vectors of 16 numbers .* this one gives 1$"):
        shown(parts.model, folders, seen(1.0), file="plus.safetensors")


def test_what_another_tower_saw_is_refused_with_both_widths(parts: Parts, folders: Folders) -> None:
    """The adapter was trained with one tower."""
    with pytest.raises(AdapterMismatch, match=r"a vector of 12 numbers .* this one gives 7"):
        shown(parts.model, folders, seen(1.0, width=7))
