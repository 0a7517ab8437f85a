"""Small models with random weights, as nodes hold them, and pictures to learn from."""

import torch
from tests.diffusion.networks import SMALL, text_encoder, unet

from safelight.diffusion.conditioning import Conditioning
from safelight.diffusion.denoiser import LatentModel, Prediction
from safelight.diffusion.memory import Placement
from safelight.diffusion.schedule import NoiseSchedule, scaled_linear
from safelight.diffusion.texts import ClipTower, Texts, alone
from safelight.diffusion.tokenizer import FileTokenizer
from safelight.training.pupils import Studied
from safelight.training.tokenizer import build_tokenizer

CPU = Placement(torch.device("cpu"), torch.float32)
TOKENIZER = FileTokenizer.of_json(build_tokenizer(["red", "green", "a", "of"]), "the test")


def model(prediction: Prediction = "v") -> LatentModel:
    """A U-Net of Stable Diffusion 1's kind."""
    return LatentModel(unet(SMALL), NoiseSchedule.of(scaled_linear()), prediction)


def texts() -> Texts:
    """Its text encoder, which knows four words."""
    return Texts({"l": ClipTower(text_encoder(SMALL), TOKENIZER)}, alone)


def latents(count: int = 4) -> torch.Tensor:
    """Flat latents, of two kinds in turn."""
    made = torch.full((count, 4, 8, 8), -0.5)
    made[torch.arange(count), torch.arange(count) % 2] = 1.0
    return made


def studied(*, hints: bool = False) -> Studied:
    """What is told of them, read beforehand."""
    draw = torch.Generator().manual_seed(4)
    said = [
        [Conditioning(torch.randn(1, 7, SMALL.unet.context_width, generator=draw))]
        for _ in range(4)
    ]
    unsaid = Conditioning(torch.zeros(1, 7, SMALL.unet.context_width))
    shown = torch.rand(4, 3, 64, 64, generator=draw) if hints else None
    return Studied(latents(), said, unsaid, shown)


def told() -> Studied:
    """What is told of them, in words."""
    return Studied(latents(), [["a red", "red"], ["a green"]] * 2, "")
