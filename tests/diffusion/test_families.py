import json
import re
from pathlib import Path

import pytest
import torch
from tests.diffusion.layouts import layout
from tests.diffusion.networks import NARROW, SMALL, Sizes, text_encoder, unet, vae

from safelight.diffusion.clip import TextConfig, TextEncoder
from safelight.diffusion.families import (
    FAMILIES,
    SD1_FAMILY,
    identify,
    load_checkpoint,
    load_vae,
    sd1_single_file,
)
from safelight.diffusion.family import below
from safelight.diffusion.family_unet import SD1_INPAINT, SD2_FAMILY, TEXT, single_file
from safelight.diffusion.memory import choose
from safelight.diffusion.settings import Settings, checkpoint_metadata
from safelight.diffusion.tables import clip_text, ldm_unet, ldm_vae
from safelight.diffusion.texts import TextsError
from safelight.diffusion.unet import UNet, UNetConfig
from safelight.diffusion.vae import VAEConfig
from safelight.diffusion.weights import CheckpointError, open_checkpoint, save_checkpoint

BOTH = [pytest.param(NARROW, id="narrow"), pytest.param(SMALL, id="small")]
LEFT_OVERS = {
    "alphas_cumprod": torch.zeros(1000),
    "betas": torch.zeros(1000),
    "log_one_minus_alphas_cumprod": torch.zeros(1000),
    "posterior_mean_coef1": torch.zeros(1000),
    "sqrt_recipm1_alphas_cumprod": torch.zeros(1000),
    "model_ema.decay": torch.zeros(()),
    "model_ema.diffusion_modelout2bias": torch.zeros(4),
    "first_stage_model.loss.logvar": torch.zeros(()),
    "cond_stage_model.logit_scale": torch.zeros(()),
    "cond_stage_model.transformer.text_model.embeddings.position_ids": torch.arange(77)[None],
}


def written(sizes: Sizes, path: Path, **more: torch.Tensor) -> Path:
    """Save random networks of these sizes as one checkpoint."""
    tensors = sd1_single_file(unet(sizes), text_encoder(sizes), vae(sizes)) | more
    save_checkpoint(path, tensors, checkpoint_metadata(sizes.settings))
    return path


@pytest.mark.parametrize("sizes", BOTH)
@torch.no_grad()
def test_networks_come_back_from_a_file(sizes: Sizes, tmp_path: Path) -> None:
    """Sizes are read from the shapes, and the networks answer as those that were saved."""
    bundle = load_checkpoint(written(sizes, tmp_path / "m.safetensors"))
    assert bundle.unet.config == sizes.unet
    assert bundle.text_encoder.config == sizes.text
    assert bundle.vae.config == sizes.vae
    assert bundle.prediction == (sizes.settings.prediction or "eps")
    x, context = torch.randn(1, 4, 8, 8), torch.randn(1, 5, sizes.unet.context_width)
    t = torch.tensor([10.0])
    torch.testing.assert_close(bundle.unet(x, t, context), unet(sizes)(x, t, context))
    torch.testing.assert_close(bundle.vae.decode(x), vae(sizes).decode(x))
    ids = torch.arange(10)[None]
    torch.testing.assert_close(bundle.text_encoder(ids), text_encoder(sizes)(ids))


def test_left_overs_of_training_are_ignored(tmp_path: Path) -> None:
    """Averages, schedules and counters that files carry do not stand in the way."""
    bundle = load_checkpoint(written(SMALL, tmp_path / "m.safetensors", **LEFT_OVERS))
    assert bundle.unet.config == SMALL.unet
    assert bundle.text_encoder.config == SMALL.text
    assert bundle.vae.config == SMALL.vae


def test_a_stray_tensor_is_refused_by_name(tmp_path: Path) -> None:
    """A tensor that belongs to nothing means that the file is not what it seems."""
    path = written(SMALL, tmp_path / "m.safetensors", adapter=torch.zeros(1))
    wanted = f"{path}: 1 tensors do not fit:\n  adapter: unknown to Stable Diffusion 1"
    with pytest.raises(CheckpointError, match=f"^{re.escape(wanted)}$"):
        load_checkpoint(path)


def test_a_tensor_too_many_inside_a_network_is_refused(tmp_path: Path) -> None:
    """Networks are strict about their own names."""
    extra = {"model.diffusion_model.out.3.weight": torch.zeros(1)}
    bundle = load_checkpoint(written(SMALL, tmp_path / "m.safetensors", **extra))
    with pytest.raises(CheckpointError, match=r"model\.diffusion_model\.out\.3\.weight: unknown$"):
        _ = bundle.unet


def test_a_file_without_a_network_is_refused(tmp_path: Path) -> None:
    """The message names the tensor that is wanted and missing."""
    tensors = sd1_single_file(unet(SMALL), text_encoder(SMALL), vae(SMALL))
    kept = {name: t for name, t in tensors.items() if not name.startswith("first_stage_model.")}
    save_checkpoint(tmp_path / "m.safetensors", kept, {})
    bundle = load_checkpoint(tmp_path / "m.safetensors")
    with pytest.raises(
        CheckpointError, match=r"it lacks the tensor first_stage_model\.encoder\.conv_in\.weight$"
    ):
        _ = bundle.vae


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("out.2.weight", (), "out.2.weight has the shape [], which tells no size"),
        (
            "input_blocks.0.0.weight",
            (0, 4, 3, 3),
            "input_blocks.0.0.weight has the shape [0, 4, 3, 3], which tells no size",
        ),
        (
            "input_blocks.1.0.out_layers.3.weight",
            None,
            "the blocks of the U-Net differ within a level or in number",
        ),
    ],
)
def test_shapes_that_describe_no_network_are_refused(
    name: str, shape: tuple[int, ...] | None, message: str, tmp_path: Path
) -> None:
    """Nonsense in a file is told with the file's name, never a bare error."""
    path = tmp_path / "m.safetensors"
    tensors = sd1_single_file(unet(SMALL), text_encoder(SMALL), vae(SMALL))
    del tensors[f"model.diffusion_model.{name}"]
    if shape is not None:
        tensors[f"model.diffusion_model.{name}"] = torch.zeros(shape)
    save_checkpoint(path, tensors, checkpoint_metadata(SMALL.settings))
    bundle = load_checkpoint(path)
    with pytest.raises(CheckpointError, match=f"^{re.escape(f'{path}: {message}')}$"):
        _ = bundle.unet


def test_a_file_of_no_known_family_is_refused(tmp_path: Path) -> None:
    """The message says which families are known, and by what."""
    path = tmp_path / "m.safetensors"
    save_checkpoint(path, {"lora_up": torch.zeros(2)}, {})
    with pytest.raises(CheckpointError) as raised:
        identify(open_checkpoint(path))
    message = str(raised.value)
    known = ", ".join(family.name for family in FAMILIES)
    assert message.startswith(
        f"{path}: none of its 1 tensors mark it as a model known here; known are {known}; they "
        "are told apart by the tensors below model.diffusion_model. named input_blocks.0.0.weight, "
    )
    assert all(mark in message for family in FAMILIES for mark in family.marks)


def test_an_inpainting_model_is_not_taken_for_a_plain_one(tmp_path: Path) -> None:
    """Nine input channels are a family of their own."""
    tensors = sd1_single_file(unet(SMALL), text_encoder(SMALL), vae(SMALL))
    tensors["model.diffusion_model.input_blocks.0.0.weight"] = torch.zeros(16, 9, 3, 3)
    save_checkpoint(tmp_path / "m.safetensors", tensors, {})
    assert load_checkpoint(tmp_path / "m.safetensors").family is SD1_INPAINT


@torch.no_grad()
def test_an_autoencoder_loads_alone_and_out_of_a_checkpoint(tmp_path: Path) -> None:
    """Both files give the same pictures; a lone one may carry its judge's tensors."""
    whole = written(SMALL, tmp_path / "whole.safetensors")
    lone = tmp_path / "lone.safetensors"
    prefix = "first_stage_model."
    tensors = {
        name.removeprefix(prefix): tensor
        for name, tensor in sd1_single_file(unet(SMALL), text_encoder(SMALL), vae(SMALL)).items()
        if name.startswith(prefix)
    }
    tensors["loss.logvar"] = torch.zeros(())
    save_checkpoint(lone, tensors, checkpoint_metadata(SMALL.settings))
    latent = torch.randn(1, 4, 4, 4)
    torch.testing.assert_close(load_vae(lone).decode(latent), load_vae(whole).decode(latent))


def test_a_file_without_autoencoder_is_refused_as_one(tmp_path: Path) -> None:
    """The message says what would have marked it."""
    path = tmp_path / "m.safetensors"
    save_checkpoint(path, {"x": torch.zeros(1)}, {})
    wanted = f"{path}: it holds no autoencoder known here (decoder.conv_in.weight)"
    with pytest.raises(CheckpointError, match=f"^{re.escape(wanted)}$"):
        load_vae(path)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("{", "its safelight.config is not JSON"),
        ("[]", "its safelight.config is not a JSON object"),
        (
            '{"prediction": "x0", "unet_heads": 0, "colour": 1}',
            "its safelight.config is not understood: unknown setting 'colour'; unet_heads should "
            "be a whole number above 0, got 0; prediction should be 'eps' or 'v' or "
            "'flow', got 'x0'",
        ),
        (
            '{"preview_rgb": [[1, 2]]}',
            "its safelight.config is not understood: preview_rgb should be rows of three numbers, "
            "one more than channels",
        ),
    ],
)
def test_settings_that_make_no_sense_are_refused(config: str, reason: str, tmp_path: Path) -> None:
    """All mistakes at once, with the file's name."""
    path = tmp_path / "m.safetensors"
    tensors = sd1_single_file(unet(SMALL), text_encoder(SMALL), vae(SMALL))
    save_checkpoint(path, tensors, {"safelight.config": config})
    with pytest.raises(CheckpointError, match=f"^{re.escape(f'{path}: {reason}')}$"):
        load_checkpoint(path)


def test_settings_survive_the_file(tmp_path: Path) -> None:
    """Only what differs from the rule is written, and all of it is read again."""
    rgb = tuple((0.1 * i, 0.2, 0.3) for i in range(5))
    settings = Settings(prediction="v", unet_groups=8, preview_rgb=rgb)
    metadata = checkpoint_metadata(settings, "{}", {"name": "First"})
    assert json.loads(metadata["safelight.config"]).keys() == {
        "prediction",
        "unet_groups",
        "preview_rgb",
    }
    assert metadata["safelight.name"] == "First"
    path = tmp_path / "m.safetensors"
    save_checkpoint(path, {"x": torch.zeros(1)}, metadata)
    assert Settings.read(open_checkpoint(path)) == settings


def test_a_group_count_that_does_not_divide_the_width_is_refused(tmp_path: Path) -> None:
    """Without a word on groups the family's 32 are meant, which 16 channels do not hold."""
    path = tmp_path / "m.safetensors"
    save_checkpoint(path, sd1_single_file(unet(SMALL), text_encoder(SMALL), vae(SMALL)), {})
    with pytest.raises(
        CheckpointError, match=r"num_channels \(16\) must be divisible by num_groups \(32\)$"
    ):
        _ = load_checkpoint(path).unet


def test_sizes_of_stable_diffusion_1_are_the_defaults(reference: Path) -> None:
    """Read from the published shapes, configs equal the defaults that the paper gives."""
    shapes = layout(reference, "sd15")
    assert ldm_unet.sizes(below(SD1_FAMILY.network.prefix, shapes), 8, 32) == UNetConfig()
    assert ldm_vae.sizes(below(SD1_FAMILY.vae.prefix, shapes), 32) == VAEConfig()
    assert clip_text.sizes(below(TEXT, shapes), None) == TextConfig()


def version_2(path: Path, spread: float, metadata: dict[str, str], **more: torch.Tensor) -> Path:
    """Save a tiny file of version 2 whose telling bias spreads that much."""
    config = UNetConfig(width=32, context_width=32, head_width=16, linear=True)
    tower = TextConfig(vocabulary=60, width=32, layers=2, heads=2, activation="gelu")
    texts = {"h": TextEncoder(tower)}
    tensors = single_file(SD2_FAMILY, UNet(config), texts, vae(SMALL))
    bias = torch.full((32,), spread)
    bias[::2] *= -1
    tensors["model.diffusion_model.output_blocks.11.1.transformer_blocks.0.norm1.bias"] = bias
    save_checkpoint(path, tensors | more, metadata)
    return path


@pytest.mark.parametrize(
    ("spread", "metadata", "prediction"),
    [
        (0.2, {}, "v"),
        (0.01, {}, "eps"),
        (0.01, {"modelspec.prediction_type": "v"}, "v"),
        (0.2, {"modelspec.prediction_type": "epsilon"}, "eps"),
        (
            0.2,
            {"safelight.config": '{"prediction": "eps"}', "modelspec.prediction_type": "v"},
            "eps",
        ),
    ],
)
def test_version_2_shows_or_says_what_it_predicts(
    spread: float, metadata: dict[str, str], prediction: str, tmp_path: Path
) -> None:
    """Our own word counts first, then that of others, then the spread of one bias."""
    bundle = load_checkpoint(version_2(tmp_path / "m.safetensors", spread, metadata))
    assert bundle.family is SD2_FAMILY
    assert bundle.prediction == prediction


def test_a_file_without_its_text_encoder_still_has_its_other_networks(tmp_path: Path) -> None:
    """Only a prompt needs one; the message says where it was looked for."""
    path = tmp_path / "m.safetensors"
    tensors = sd1_single_file(unet(SMALL), text_encoder(SMALL), vae(SMALL))
    kept = {name: t for name, t in tensors.items() if not name.startswith("cond_stage_model.")}
    save_checkpoint(path, kept, checkpoint_metadata(SMALL.settings))
    bundle = load_checkpoint(path)
    assert bundle.unet.config == SMALL.unet
    wanted = f"{path}: it holds no text encoder (cond_stage_model.transformer.*)"
    with pytest.raises(TextsError, match=f"^{re.escape(wanted)}$"):
        bundle.texts.encode("a cat", choose("cpu", "float32"))
