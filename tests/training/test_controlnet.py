"""The ControlNet's training, on toy data: seconds, not minutes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from safelight.diffusion.clip import TextConfig, TextEncoder
from safelight.diffusion.controlnet import ControlNet
from safelight.diffusion.edges import canny
from safelight.diffusion.families import sd1_single_file
from safelight.diffusion.family_control import load_control
from safelight.diffusion.settings import Settings, checkpoint_metadata
from safelight.diffusion.unet import UNet, UNetConfig
from safelight.diffusion.vae import AutoencoderKL, VAEConfig
from safelight.diffusion.weights import save_checkpoint
from safelight.training.captioned import Examples
from safelight.training.controlnet import (
    HINT_WIDTHS,
    ControlNetStage,
    agreement,
    aside,
    export_controlnet,
    hints_of,
    right_colours,
    told_nowhere,
)
from safelight.training.controlnet_own import OwnControlNetStage
from safelight.training.likeness import drawings
from safelight.training.loop import Budget, Pace, Run, train
from safelight.training.pictures import Captions, Pictures
from safelight.training.prompts import Model
from safelight.training.tokenizer import Words, build_tokenizer

WORDS = Words(build_tokenizer(["a", "square"]), length=8)
UNET = UNetConfig(
    width=16, multipliers=(1, 2), blocks=1, depths=(0, 1), context_width=16, heads=2, groups=4
)
PACE = Pace(batch=4, bfloat16=False, warm_up=1, average=0.5, save_every_s=1e9, report_every_s=1e9)


def squares(count: int) -> Pictures:
    """A white square somewhere on black, in each picture."""
    pixels = np.zeros((count, 128, 128, 3), np.uint8)
    for index in range(count):
        top, left = 8 * (index % 7) + 8, 8 * (index % 5) + 8
        pixels[index, top : top + 40, left : left + 40] = 255
    return Pictures(pixels)


def latents_of(pictures: Pictures) -> torch.Tensor:
    """What stands for latents: brightness, eight times smaller, four times."""
    small = torch.from_numpy(np.array(pictures.pixels[:, ::8, ::8, 0])).float() / 127.5 - 1
    return small[:, None].expand(-1, 4, -1, -1).contiguous()


def model() -> Model:
    """Networks with random weights, small."""
    torch.manual_seed(0)
    networks = (
        UNet(UNET),
        TextEncoder(TextConfig(WORDS.size, 16, 1, 2, WORDS.length)),
        AutoencoderKL(VAEConfig(width=4, multipliers=(1, 1, 1, 2), blocks=1, groups=1)),
    )
    torch.nn.init.normal_(networks[0].conv_out.weight, std=0.1)
    return Model(*networks, WORDS)


def stage_of(used: Model, measured: int = 2) -> ControlNetStage:
    """A stage on sixteen pictures."""
    pictures = squares(16)
    said = Captions([["a square"]] * 16)
    return ControlNetStage(used, pictures, latents_of(pictures), said, measured)


def test_training_leaves_the_model_alone_and_can_be_exported(tmp_path: Path) -> None:
    """The frozen networks keep every bit; the file gives the averaged network back."""
    used = model()
    before = {name: tensor.clone() for name, tensor in used.unet.state_dict().items()}
    stage = stage_of(used)
    train(stage, PACE, Run(tmp_path, Budget(steps=3)))
    assert all(used.unet.state_dict()[name].equal(tensor) for name, tensor in before.items())
    assert (tmp_path / "sheet.png").is_file()
    base, path = tmp_path / "base.safetensors", tmp_path / "edges.safetensors"
    settings = Settings(prediction="v", unet_heads=2, unet_groups=4, vae_groups=1, text_heads=2)
    tensors = sd1_single_file(used.unet, used.text, used.autoencoder)
    save_checkpoint(base, tensors, checkpoint_metadata(settings, WORDS.document))
    export_controlnet(tmp_path / "state.pt", path, base)
    opened = load_control(path)
    network = opened.source.on(used.unet)
    assert isinstance(network, ControlNet)
    assert (opened.family, network.sizes.hint_widths) == ("Stable Diffusion 1", HINT_WIDTHS)
    assert (network.config.heads, network.config.groups) == (2, 4)
    assert any(tensor.abs().max() > 0 for tensor in network.zeros.state_dict().values())


def test_the_hint_makes_the_loss_fall(tmp_path: Path) -> None:
    """Told where the square is, the copy takes error away that the U-Net alone keeps."""
    stage = stage_of(model())

    def held() -> float:
        with torch.no_grad():
            return float(stage.loss(8, torch.Generator().manual_seed(3), 0.0))

    before = held()
    train(stage, replace(PACE, muon=0.02, average=0.1), Run(tmp_path, Budget(steps=12)))
    assert held() < 0.97 * before


def test_pictures_of_one_s_own_are_learnt_from(tmp_path: Path) -> None:
    """The loss falls on their edges, and a sheet shows what they are worth."""
    pictures = squares(4).held_out(4)
    stage = OwnControlNetStage(model(), Examples(pictures, [["a square", "square"]] * 4))
    assert stage.hints.equal(hints_of(pictures))
    before = float(stage.loss(8, torch.Generator().manual_seed(3), 0.0).detach())
    train(stage, replace(PACE, muon=0.02, average=0.1), Run(tmp_path, Budget(steps=8)))
    assert float(stage.loss(8, torch.Generator().manual_seed(3), 0.0).detach()) < before
    assert (tmp_path / "sheet.png").is_file()


def test_hints_are_the_edges_of_pictures() -> None:
    """White on black, the same in all three colours, and pictures agree with their own."""
    pictures = squares(2).held_out(2)
    hints = hints_of(pictures)
    assert hints[:, :1].equal(canny((pictures + 1) / 2, 0.2, 0.4))
    assert hints[:, 0].equal(hints[:, 2])
    assert agreement(pictures, hints) == pytest.approx(1.0)
    assert agreement(torch.zeros_like(pictures), hints) == pytest.approx(0.0)


def test_the_examination_does_not_tell_where_figures_are() -> None:
    """Prompts have colour and setting, and no word of side or size; drawings are recognised."""
    scenes = aside(16)
    told = " ".join(told_nowhere(scene, index) for index, scene in enumerate(scenes))
    assert not {"left", "right", "small", "little", "tiny"} & set(told.replace(",", "").split())
    assert all(scene.side != "centre" for scene in scenes)
    assert right_colours(drawings(scenes[:4], 128, 3), scenes[:4]) == 1.0
