"""The reference implementations of other projects, built to our sizes."""

from importlib import import_module
from typing import Any

from torch import Tensor

from safelight.diffusion.unet import UNetConfig
from safelight.diffusion.vae import VAEConfig


def error(ours: Tensor, theirs: Tensor) -> float:
    """The largest difference, relative to the largest number."""
    return float((ours - theirs).abs().max() / theirs.abs().max())


def diffusers_unet(config: UNetConfig, tensors: dict[str, Tensor]) -> Any:
    """Build diffusers' U-Net of these sizes and load the file into it."""
    diffusers: Any = import_module("diffusers")
    convert: Any = import_module("diffusers.loaders.single_file_utils").convert_ldm_unet_checkpoint
    vector, heads = config.vector_width, tuple(map(config.heads_at, config.widths))
    reference = diffusers.UNet2DConditionModel(
        block_out_channels=config.widths,
        layers_per_block=config.blocks,
        down_block_types=tuple(
            "CrossAttnDownBlock2D" if depth else "DownBlock2D" for depth in config.depths
        ),
        up_block_types=tuple(
            "CrossAttnUpBlock2D" if depth else "UpBlock2D" for depth in config.depths[::-1]
        ),
        cross_attention_dim=config.context_width,
        attention_head_dim=heads,  # despite its name: the number of heads
        transformer_layers_per_block=tuple(depth or config.middle_depth for depth in config.depths),
        use_linear_projection=config.linear,
        in_channels=config.channels_in,
        addition_embed_type="text_time" if vector else None,
        addition_time_embed_dim=256 if vector else None,
        projection_class_embeddings_input_dim=vector,
        norm_num_groups=config.groups,
    )
    reference.load_state_dict(convert(dict(tensors), reference.config))
    return reference.eval()


def diffusers_vae(config: VAEConfig, tensors: dict[str, Tensor]) -> Any:
    """Build diffusers' autoencoder of these sizes and load the file into it."""
    diffusers: Any = import_module("diffusers")
    convert: Any = import_module("diffusers.loaders.single_file_utils").convert_ldm_vae_checkpoint
    levels = len(config.multipliers)
    reference = diffusers.AutoencoderKL(
        block_out_channels=config.widths,
        layers_per_block=config.blocks,
        latent_channels=config.latent_channels,
        norm_num_groups=config.groups,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
    )
    reference.load_state_dict(convert(dict(tensors), reference.config))
    return reference.eval()
