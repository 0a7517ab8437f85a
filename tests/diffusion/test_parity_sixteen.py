"""The autoencoder of sixteen channels against diffusers, and the transformers in bfloat16."""

from importlib import import_module
from typing import Any

import pytest
import torch
from tests.diffusion.networks import randomised
from tests.diffusion.peers import error
from tests.diffusion.test_parity_transformers import FLUX, MMDIT, T5, drawn
from torch import Tensor, nn

from safelight.diffusion.flux import Flux
from safelight.diffusion.memory import Placement, resident
from safelight.diffusion.mmdit import MMDiT
from safelight.diffusion.t5 import T5Encoder
from safelight.diffusion.tables import ldm_vae
from safelight.diffusion.vae import AutoencoderKL, VAEConfig
from safelight.diffusion.weights import exported

SIZES = VAEConfig(latent_channels=16, width=32, mixed=False)


def diffusers_vae(tensors: dict[str, Tensor]) -> Any:
    """Build diffusers' autoencoder of these sizes and load the file into it."""
    diffusers: Any = import_module("diffusers")
    convert: Any = import_module("diffusers.loaders.single_file_utils").convert_ldm_vae_checkpoint
    reference = diffusers.AutoencoderKL(
        block_out_channels=SIZES.widths,
        layers_per_block=SIZES.blocks,
        latent_channels=SIZES.latent_channels,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )
    reference.load_state_dict(convert(dict(tensors), reference.config))
    return reference.eval()


@torch.no_grad()
def test_the_autoencoder_of_sixteen_channels_equals_diffusers() -> None:
    """Mean and deviation of the latent, and the picture drawn from one."""
    ours = AutoencoderKL(SIZES)
    randomised(ours, 3)
    named = exported(ours, ldm_vae.table(SIZES))
    reference = diffusers_vae({f"first_stage_model.{name}": t for name, t in named.items()})
    image = torch.rand(1, 3, 48, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    gaussian, theirs = ours.encode(image), reference.encode(image).latent_dist
    assert error(gaussian.mean, theirs.mean) < 1e-4
    assert error(gaussian.std, theirs.std) < 1e-4
    assert error(ours.decode(gaussian.mean), reference.decode(gaussian.mean).sample) < 1e-4


def asked(network: nn.Module, dtype: torch.dtype) -> Tensor:
    """What a network answers when it computes in a number format; times stay float32."""
    with resident(network, Placement(torch.device("cpu"), dtype)) as placed:
        if isinstance(placed, T5Encoder):
            answer = placed(torch.arange(40)[None])
        else:
            x, context, pooled = drawn(1, 16, 8, 12), drawn(1, 7, 48, seed=1), drawn(1, 40, seed=2)
            told = [context.to(dtype), pooled.to(dtype)]
            told += [torch.tensor([3.5])] if isinstance(placed, Flux) else []
            answer = placed(x.to(dtype), torch.tensor([0.7]), *told)
    assert answer.dtype == dtype
    return answer.float()


@pytest.mark.parametrize(
    "network", [MMDiT(MMDIT), Flux(FLUX), T5Encoder(T5)], ids=lambda made: type(made).__name__
)
@torch.no_grad()
def test_networks_compute_in_bfloat16(network: nn.Module) -> None:
    """Nothing inside is stuck in float32, and the answers stay near."""
    randomised(network, 1)
    assert error(asked(network, torch.bfloat16), asked(network, torch.float32)) < 0.05
