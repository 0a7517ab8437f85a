"""Control networks on the canvas: opened, applied, stacked; and the hints they are shown."""

import json
from pathlib import Path

import pytest
import torch
from tests.diffusion.networks import randomised

from safelight.diffusion.control import ControlMismatch
from safelight.diffusion.controlnet import ControlNet, ControlNetConfig
from safelight.diffusion.family_control import single_file
from safelight.diffusion.settings import Settings, checkpoint_metadata
from safelight.diffusion.unet import UNetConfig
from safelight.diffusion.weights import save_checkpoint
from safelight.graph.folders import Folders
from safelight.graph.node import NullContext
from safelight.library import control, preprocessors
from safelight.library.conditioning import CLIPTextEncode
from safelight.library.latent import EmptyLatentImage
from safelight.library.loading import CheckpointLoaderSimple, Parts
from safelight.library.sampling import KSampler
from safelight.library.values import Conditioning, Image, Mask

TINY = UNetConfig(
    width=16, multipliers=(1, 2), blocks=1, depths=(0, 1), context_width=32, heads=4, groups=8
)
WIDE = UNetConfig(
    width=32, multipliers=(1, 2), blocks=1, depths=(0, 1), context_width=32, heads=4, groups=8
)
HINT = Image(torch.rand(1, 64, 64, 3, generator=torch.Generator().manual_seed(1)))


@pytest.fixture
def ctx(folders: Folders, tmp_path: Path) -> NullContext:
    """A context that knows the tiny model and two control networks."""
    for name, config in (("tiny", TINY), ("wide", WIDE)):
        network = ControlNet(ControlNetConfig(config, hint_widths=(4, 4, 4, 8)))
        randomised(network, 3)
        settings = checkpoint_metadata(Settings(unet_heads=4, unet_groups=8))
        path = tmp_path / "models" / "controlnet" / f"{name}.safetensors"
        save_checkpoint(path, single_file(network), settings)
    return NullContext(folders)


@pytest.fixture
def parts(ctx: NullContext) -> Parts:
    """The tiny model, loaded."""
    return CheckpointLoaderSimple(ckpt_name="tiny.safetensors").run(ctx)


def said(parts: Parts, ctx: NullContext) -> tuple[Conditioning, Conditioning]:
    """What to draw, and what not."""
    texts = ("a red cat", "dog")
    wanted, unwanted = (CLIPTextEncode(text=text, clip=parts.clip).run(ctx) for text in texts)
    return wanted, unwanted


def drawn(parts: Parts, ctx: NullContext, both: tuple[Conditioning, Conditioning]) -> torch.Tensor:
    """Two steps of a small latent."""
    latent = EmptyLatentImage(width=64, height=64).run(ctx)
    node = KSampler(
        model=parts.model,
        steps=2,
        cfg=3.0,
        positive=both[0],
        negative=both[1],
        latent_image=latent,
        sampler_name="euler",
        scheduler="normal",
    )
    return node.run(ctx).samples


def applied(
    parts: Parts,
    ctx: NullContext,
    name: str = "tiny",
    strength: float = 1.0,
    mask: Mask | None = None,
) -> tuple[Conditioning, Conditioning]:
    """Both prompts with a control."""
    wanted, unwanted = said(parts, ctx)
    opened = control.ControlNetLoader(control_net_name=f"{name}.safetensors").run(ctx)
    return control.ControlNetApplyAdvanced(
        positive=wanted,
        negative=unwanted,
        control_net=opened,
        image=HINT,
        strength=strength,
        mask=mask,
    ).run(ctx)


def test_strength_nought_gives_the_same_bits_as_no_control(parts: Parts, ctx: NullContext) -> None:
    """And strength one another picture."""
    plain = drawn(parts, ctx, said(parts, ctx))
    assert drawn(parts, ctx, applied(parts, ctx, strength=0.0)).equal(plain)
    assert not drawn(parts, ctx, applied(parts, ctx)).allclose(plain)
    black = Mask(torch.zeros(1, 64, 64))
    torch.testing.assert_close(drawn(parts, ctx, applied(parts, ctx, mask=black)), plain)


def test_one_prompt_s_control_is_heard_by_both(parts: Parts, ctx: NullContext) -> None:
    """The old node and the new one draw the same picture."""
    wanted, unwanted = said(parts, ctx)
    opened = control.ControlNetLoader(control_net_name="tiny.safetensors").run(ctx)
    node = control.ControlNetApply(conditioning=wanted, control_net=opened, image=HINT)
    old = drawn(parts, ctx, (node.run(ctx), unwanted))
    torch.testing.assert_close(old, drawn(parts, ctx, applied(parts, ctx)))


def test_two_controls_at_half_strength_are_one(parts: Parts, ctx: NullContext) -> None:
    """They add up."""
    opened = control.ControlNetLoader(control_net_name="tiny.safetensors").run(ctx)
    both = said(parts, ctx)
    for _ in range(2):
        both = control.ControlNetApplyAdvanced(
            positive=both[0], negative=both[1], control_net=opened, image=HINT, strength=0.5
        ).run(ctx)
    torch.testing.assert_close(drawn(parts, ctx, both), drawn(parts, ctx, applied(parts, ctx)))


def test_a_control_for_another_model_is_refused_with_both_names(
    parts: Parts, ctx: NullContext
) -> None:
    """Here both are of one family, and the sizes tell them apart."""
    with pytest.raises(ControlMismatch) as refusal:
        drawn(parts, ctx, applied(parts, ctx, "wide"))
    assert str(refusal.value) == (
        "this control network is of Stable Diffusion 1: the sizes differ (width 32 against 16); "
        "the model is of Stable Diffusion 1"
    )


def test_the_difference_loader_opens_plain_files_too(parts: Parts, ctx: NullContext) -> None:
    """They are put on the model, which refuses what does not fit."""
    node = control.DiffControlNetLoader
    opened = node(model=parts.model, control_net_name="tiny.safetensors").run(ctx)
    assert isinstance(opened.source, ControlNet)
    with pytest.raises(ControlMismatch, match="width 32 against 16"):
        node(model=parts.model, control_net_name="wide.safetensors").run(ctx)


def test_kinds_of_hints_are_counted_as_union_networks_do(ctx: NullContext) -> None:
    """Automatic is none."""
    opened = control.ControlNetLoader(control_net_name="tiny.safetensors").run(ctx)
    for name, kinds in (("openpose", (0,)), ("tile", (6,)), ("auto", ())):
        told = control.SetUnionControlNetType(control_net=opened, type=name).run(ctx)
        assert told.kinds == kinds


def test_a_network_that_sees_latents_asks_for_an_autoencoder(
    parts: Parts, ctx: NullContext
) -> None:
    """Which then gives it the hint as a latent."""
    opened = control.ControlNetLoader(control_net_name="tiny.safetensors").run(ctx)
    seeing = control.ControlNet(opened.source, "Stable Diffusion 3 medium", latent=True)
    with pytest.raises(control.NoAutoencoder, match="connect an autoencoder"):
        seeing.shown(HINT, 1.0, None, ctx)
    shown = seeing.shown(HINT, 1.0, parts.vae, ctx)
    assert shown.placed(8, 8, 2).hint.shape == (2, 4, 8, 8)


@pytest.mark.parametrize(
    "node",
    [
        preprocessors.Canny(image=HINT),
        preprocessors.SoftEdges(image=HINT),
        preprocessors.Scribble(image=HINT),
        preprocessors.LineArt(image=HINT),
        preprocessors.TileHint(image=HINT),
        preprocessors.BlurHint(image=HINT),
        preprocessors.ColourHint(image=HINT, cell=16),
    ],
    ids=lambda node: type(node).__name__,
)
def test_a_preprocessor_gives_a_picture_of_the_same_size(
    node: preprocessors.Canny, ctx: NullContext
) -> None:
    """In 0..1, so that it can be looked at."""
    pixels = node.run(ctx).pixels
    assert pixels.shape == HINT.pixels.shape
    assert 0 <= pixels.min() <= pixels.max() <= 1


def test_a_grid_of_colours_keeps_the_means(ctx: NullContext) -> None:
    """Each cell has one colour, the mean of what was there."""
    pixels = preprocessors.ColourHint(image=HINT, cell=16).run(ctx).pixels
    torch.testing.assert_close(pixels[0, 3, 20], HINT.pixels[0, :16, 16:32].mean(dim=(0, 1)))
    assert pixels[0, 0, 16].equal(pixels[0, 15, 31])


def test_line_art_finds_dark_lines_only(ctx: NullContext) -> None:
    """A black line on white is white on black, a white line on black is not."""
    paper = torch.ones(1, 32, 32, 3)
    paper[:, :, 15:17] = 0
    lines = preprocessors.LineArt(image=Image(paper)).run(ctx).pixels[0, 16, :, 0]
    assert lines[15] > 0.9
    assert lines[:8].max() < 0.1
    inverse = preprocessors.LineArt(image=Image(1 - paper)).run(ctx).pixels[0, 16, :, 0]
    assert inverse[15] == 0


def test_a_pose_is_drawn_joint_by_joint(ctx: NullContext) -> None:
    """The neck is orange, hidden joints are not drawn, bones join what is seen."""
    joints: list[list[float] | None] = [None] * 18
    joints[1], joints[2] = [0.25, 0.5], [0.75, 0.5]
    node = preprocessors.PoseHint(
        skeletons=json.dumps([joints]), width=64, height=64, thickness=2.0
    )
    pixels = node.run(ctx).pixels[0]
    torch.testing.assert_close(pixels[32, 16], torch.tensor([255, 85, 0]) / 255)
    torch.testing.assert_close(pixels[32, 32], torch.tensor([153.0, 0, 0]) / 255)
    assert pixels[:24].max() == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "the skeletons are not JSON"),
        ("{}", "the skeletons should be a list of figures"),
        ("[[]]", "figure 0 should be a list of 18 joints"),
        (json.dumps([[[1]] * 18]), r"joint 0 of figure 0 should be \[x, y\] or null, got \[1\]"),
    ],
)
def test_what_is_no_skeleton_is_refused(text: str, message: str, ctx: NullContext) -> None:
    """By name and place."""
    with pytest.raises(preprocessors.SkeletonError, match=message):
        preprocessors.PoseHint(skeletons=text).run(ctx)
