"""A whole Stable Diffusion 1 model, too small to draw but real in every name."""

import json
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from safelight.diffusion.clip import TextConfig, TextEncoder
from safelight.diffusion.families import sd1_single_file
from safelight.diffusion.settings import Settings, checkpoint_metadata
from safelight.diffusion.unet import UNet, UNetConfig
from safelight.diffusion.vae import AutoencoderKL, VAEConfig
from safelight.diffusion.weights import save_checkpoint
from safelight.graph.folders import Folders
from safelight.graph.node import NullContext
from safelight.library.conditioning import CLIPTextEncode
from safelight.library.custom_sampling import CFGGuider
from safelight.library.loading import CheckpointLoaderSimple, Parts
from safelight.library.values import Conditioning
from safelight.library.walks import Guider

WORDS = ("<unk>", "<|startoftext|>", "<|endoftext|>", "a", "cat", "in", "hat", "red", "dog")


def tokenizer_json() -> str:
    """A tokenizer that knows nine words."""
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return json.dumps(json.loads(tokenizer.to_str()))


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of about a million random numbers, in the single-file layout."""
    torch.manual_seed(0)
    unet = UNet(
        UNetConfig(
            width=16, multipliers=(1, 2), blocks=1, depths=(0, 1), context_width=32, groups=8
        )
    )
    text = TextEncoder(TextConfig(vocabulary=len(WORDS), width=32, layers=2, heads=2))
    vae = AutoencoderKL(VAEConfig(width=8, blocks=1, groups=4))
    for network in (unet, text, vae):
        for parameter in network.parameters():
            if parameter.ndim > 1:  # the fresh zeros would hide every mistake behind them
                torch.nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
    path = tmp_path_factory.mktemp("models") / "tiny.safetensors"
    settings = Settings(unet_heads=4, unet_groups=8, vae_groups=4, text_heads=2)
    save_checkpoint(
        path, sd1_single_file(unet, text, vae), checkpoint_metadata(settings, tokenizer_json())
    )
    return path


@pytest.fixture
def folders(tmp_path: Path, tiny_checkpoint: Path) -> Folders:
    """A home in which the tiny model is built in."""
    made = Folders(tmp_path, builtin={"checkpoints": {"tiny.safetensors": tiny_checkpoint}})
    made.create()
    return made


@pytest.fixture
def ctx(folders: Folders) -> NullContext:
    """A context that knows the tiny model."""
    return NullContext(folders)


@pytest.fixture
def parts(ctx: NullContext) -> Parts:
    """The tiny model, loaded."""
    return CheckpointLoaderSimple(ckpt_name="tiny.safetensors").run(ctx)


@pytest.fixture
def prompts(parts: Parts, ctx: NullContext) -> tuple[Conditioning, Conditioning]:
    """What to draw, and what not."""
    texts = ("a red cat", "dog")
    wanted, unwanted = (CLIPTextEncode(text=text, clip=parts.clip).run(ctx) for text in texts)
    return wanted, unwanted


@pytest.fixture
def guider(parts: Parts, prompts: tuple[Conditioning, Conditioning], ctx: NullContext) -> Guider:
    """The tiny model, told both prompts."""
    wanted, unwanted = prompts
    node = CFGGuider(model=parts.model, positive=wanted, negative=unwanted, cfg=3.0)
    return node.run(ctx)
