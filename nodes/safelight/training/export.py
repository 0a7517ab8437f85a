"""Putting the trained networks into one file, in the layout of Stable Diffusion 1.5.

Any program that reads such files by the shapes of their tensors can read ours;
what shapes do not tell (heads, groups, velocity instead of noise, the words)
stands in the metadata.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from safelight import __version__
from safelight.diffusion.dit import DiT
from safelight.diffusion.families import load_checkpoint, sd1_single_file
from safelight.diffusion.family_flow import SD3_SMALL
from safelight.diffusion.labels import TRANSFORMER
from safelight.diffusion.latent import SD1
from safelight.diffusion.mmdit import MMDiT
from safelight.diffusion.settings import Settings, checkpoint_metadata
from safelight.diffusion.weights import save_checkpoint
from safelight.training import autoencoder, contrastive, controlnet, denoiser, dit, mmdit
from safelight.training.controlnet import export_controlnet
from safelight.training.decoder import NAME as TINY_DECODER
from safelight.training.decoder import export_decoder
from safelight.training.inversion import NAME as SNAIL
from safelight.training.inversion import export_inversion
from safelight.training.judge import Judge
from safelight.training.loop import load, load_average
from safelight.training.lora_lesson import NAME as LORA
from safelight.training.lora_lesson import export_lesson
from safelight.training.pictures import Pictures
from safelight.training.prompts import Model, draw_prompts
from safelight.training.report import save_judge
from safelight.training.sheet import save_sheet
from safelight.training.stages import STAGES, Work
from safelight.training.tokenizer import Words
from safelight.training.world import CONTACT_PROMPTS, SUBJECTS

TITLE = "Safelight First Light"
FITTED = 512  # pictures behind the preview colours
SHEET_SEEDS = (1, 2)


def export(work: Work, path: Path) -> None:
    """Write the checkpoint at `path`, and a contact sheet drawn with it beside it."""
    unet, text, vae = work.unet(), work.text(), work.autoencoder()
    pictures = Pictures.open(work.pictures).held_out(FITTED)
    latents = work.latents()[-FITTED:].float() * SD1.scale
    settings = Settings(
        prediction="v",
        unet_heads=denoiser.CONFIG.heads,
        unet_groups=denoiser.CONFIG.groups,
        vae_groups=autoencoder.CONFIG.groups,
        text_heads=contrastive.HEADS,
        preview_rgb=preview_colours(latents, pictures),
        preview_decoder=TINY_DECODER,
    )
    tensors = {name: t.half() for name, t in sd1_single_file(unet, text, vae).items()}
    metadata = checkpoint_metadata(settings, work.words().document, recipe(work))
    save_checkpoint(path, tensors, metadata | MODEL_SPEC)
    save_contact_sheet(path, path.with_name("contact-sheet.png"))


def export_judge(work: Work, path: Path) -> None:
    """Write the trained judge at `path`."""
    judge = Judge()
    load_average(work.of("judge") / "state.pt", judge)
    about = {f"safelight.{key}": text for key, text in recipe(work, ["judge"]).items()}
    save_judge(path, judge, about | {"modelspec.title": "Safelight Judge"})


def export_mmdit(work: Work, path: Path) -> None:
    """Write the transformer alone, as Stable Diffusion 3 files name it.

    It is told what the embedded checkpoint's text encoder reads, and shares its autoencoder.
    """
    network = MMDiT(mmdit.CONFIG)
    load_average(work.of("mmdit") / "state.pt", network)
    tensors = SD3_SMALL.network.exported(network, network.config)
    latents = work.latents()[-FITTED:].float() * SD1.scale
    pictures = Pictures.open(work.pictures).held_out(FITTED)
    settings = Settings(preview_rgb=preview_colours(latents, pictures))
    metadata = checkpoint_metadata(settings, about=recipe(work, ["mmdit"]))
    about = {"modelspec.title": "Safelight MMDiT", "modelspec.license": "Apache-2.0"}
    save_checkpoint(path, {name: t.half() for name, t in tensors.items()}, metadata | about)


def export_dit(work: Work, path: Path) -> None:
    """Write the class-conditional transformer, under its authors' names, with its subjects."""
    network = DiT(dit.CONFIG)
    load_average(work.of("dit") / "state.pt", network)
    tensors = TRANSFORMER.exported(network, network.config)
    labels = {"labels": json.dumps([*SUBJECTS, "any"])}
    metadata = checkpoint_metadata(Settings(), about=recipe(work, ["dit"]) | labels)
    save_checkpoint(path, {name: t.half() for name, t in tensors.items()}, metadata)


def preview_colours(
    latents: Float[Tensor, "N z h w"], pictures: Float[Tensor, "N 3 H W"]
) -> tuple[tuple[float, float, float], ...]:
    """Fit colours (-1..1) to scaled latents: a row for each channel, then the offset."""
    factor = pictures.shape[-1] // latents.shape[-1]
    wanted = nn.functional.avg_pool2d(pictures, factor).movedim(1, -1).flatten(0, 2)
    known = latents.movedim(1, -1).flatten(0, 2)
    known = torch.cat([known, torch.ones(len(known), 1)], dim=1)
    rows: list[list[float]] = torch.linalg.lstsq(known, wanted).solution.tolist()
    return tuple((round(r, 4), round(g, 4), round(b, 4)) for r, g, b in rows)


def recipe(work: Work, names: Iterable[str] = STAGES) -> dict[str, str]:
    """What was trained how long and how well, for people."""
    stages = {}
    for name in names:
        checkpoint = work.of(name) / "state.pt"
        if checkpoint.exists():
            state = load(checkpoint)
            stages[name] = {
                "steps": state["step"],
                "samples": state["samples"],
                "minutes": round(state["seconds"] / 60, 1),
                "loss": round(state["loss"], 4),
                **{key: round(value, 4) for key, value in state["figures"].items()},
            }
    return {"stages": json.dumps(stages), "version": __version__}


def save_contact_sheet(checkpoint: Path, path: Path) -> None:
    """Draw the contact prompts with an exported checkpoint, from seeds chosen beforehand."""
    bundle = load_checkpoint(checkpoint)
    words = Words(bundle.checkpoint.metadata["safelight.tokenizer"])
    networks = (bundle.unet.float(), bundle.text_encoder.float(), bundle.vae.float())
    model = Model(*networks, words)
    pictures = torch.cat([draw_prompts(model, CONTACT_PROMPTS, seed) for seed in SHEET_SEEDS])
    half = len(CONTACT_PROMPTS) // 2
    rows = [pictures[start : start + half] for start in (0, 2 * half, half, 3 * half)]
    captions = [*CONTACT_PROMPTS[:half] * 2, *CONTACT_PROMPTS[half:] * 2]
    save_sheet(path, torch.cat(rows), columns=half, captions=captions, light=True)


MODEL_SPEC = {
    "modelspec.sai_model_spec": "1.0.0",
    "modelspec.architecture": "stable-diffusion-v1",
    "modelspec.implementation": "safelight",
    "modelspec.title": TITLE,
    "modelspec.license": "Apache-2.0",
    "modelspec.resolution": "128x128",
    "modelspec.prediction_type": "v",
}

JUDGE = "judge/safelight-judge.safetensors"
EXPORTS: Final[Mapping[str, tuple[str, Callable[[Work, Path], None]]]] = {
    "denoiser": ("safelight-first-light.safetensors", export),
    "judge": (JUDGE, export_judge),
    "inversion": (
        f"embeddings/{SNAIL}.safetensors",
        lambda work, path: export_inversion(work.of("inversion") / "state.pt", path),
    ),
    "decoder": (
        f"vae_approx/{TINY_DECODER}.safetensors",
        lambda work, path: export_decoder(work.of("decoder") / "state.pt", path),
    ),
    "lora": (
        f"loras/{LORA}.safetensors",
        lambda work, path: export_lesson(work.of("lora"), path),
    ),
    "mmdit": ("diffusion_models/safelight-mmdit.safetensors", export_mmdit),
    "dit": ("dit/safelight-dit.safetensors", export_dit),
    "controlnet": (
        f"controlnet/{controlnet.NAME}.safetensors",
        lambda work, path: export_controlnet(work.of("controlnet") / "state.pt", path),
    ),
}
"""What a trained stage is written to, below the folder of what is shipped, and by what."""
