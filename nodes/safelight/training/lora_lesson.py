"""The embedded LoRA: what it learns, how it is measured and written.

Without a word from the user it learns the held-out style.  Who puts pictures with captions
into the stage's folder `examples` has it learn these instead, and in `prior` pictures of what
shall stay as it is.
"""

from collections.abc import Callable
from pathlib import Path

import torch

from safelight.training.blueprint import PROMPTS, SIZE_PX, blueprints, is_blueprint
from safelight.training.captioned import Examples, read_examples
from safelight.training.inversion import EMBEDDED, embedded_model
from safelight.training.loop import load
from safelight.training.lora import (
    CONVOLUTIONS,
    TRANSFORMERS,
    LoraStage,
    Recipe,
    no_examination,
)
from safelight.training.lora_export import export_lora, kohya_metadata
from safelight.training.prompts import Model, draw_prompts
from safelight.training.sheet import save_sheet

DRAWN = 160  # pictures of the style
SEEDS = (1, 2)  # of the pictures that measure
# A style is in the lines, and lines are drawn by convolutions.
RECIPE = Recipe(rank=4, alpha=4.0, targets=(*TRANSFORMERS, *CONVOLUTIONS))
NAME = "safelight-blueprint-lora"

Examination = Callable[[Model, Path], dict[str, float]]


def lora_stage(folder: Path, recipe: Recipe = RECIPE, base: Path = EMBEDDED) -> LoraStage:
    """Return what learns in a stage's folder: the pictures there, or else the style.

    Raises:
        ExamplesError: the pictures or captions are not as they should be.
    """
    examples, examine = lesson(folder)
    kept = folder / "prior"
    prior = read_examples(kept, SIZE_PX) if kept.is_dir() else None
    return LoraStage(embedded_model(base), examples, recipe, prior, examine)


def lesson(folder: Path) -> tuple[Examples, Examination]:
    """Return what is learnt from, and how the result is measured."""
    own = folder / "examples"
    if own.is_dir():
        return read_examples(own, SIZE_PX), no_examination
    return blueprints(DRAWN), examine_blueprint


@torch.no_grad()
def examine_blueprint(model: Model, folder: Path) -> dict[str, float]:
    """Draw prompts that name the style and some that do not; return how many have it."""
    drawn = torch.cat([draw_prompts(model, PROMPTS, seed) for seed in SEEDS])
    folder.mkdir(parents=True, exist_ok=True)
    save_sheet(folder / "sheet.png", drawn, columns=len(PROMPTS), captions=PROMPTS)
    return {"blueprints": float(is_blueprint(drawn).mean())}


def export_lesson(folder: Path, path: Path, base: Path = EMBEDDED) -> None:
    """Write what a run in a stage's folder has learnt."""
    stage = lora_stage(folder, base=base)
    captions = lesson(folder)[0].captions
    metadata = kohya_metadata(RECIPE, captions, load(folder / "state.pt"), path.stem)
    licence = {"modelspec.license": "Apache-2.0", "modelspec.trigger_phrase": "a blueprint of"}
    export_lora(stage, folder / "state.pt", path, metadata | licence, base)
