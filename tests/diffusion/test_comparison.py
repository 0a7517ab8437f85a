"""Three files of the course compare their techniques by the same table, which is measured."""

import math
import re

import safelight.diffusion.controlnet
import safelight.diffusion.lora
import safelight.diffusion.textual_inversion
from safelight.diffusion.families import load_checkpoint
from safelight.diffusion.weights import open_checkpoint
from safelight.pretrained import BUILTIN
from safelight.training.adapter import adapted
from safelight.training.lora_lesson import RECIPE


def tables() -> list[str]:
    """The table in each docstring."""
    files = (
        safelight.diffusion.lora,
        safelight.diffusion.textual_inversion,
        safelight.diffusion.controlnet,
    )
    table = re.compile(r"^ +LoRA  .*?(?=\n\n)", re.DOTALL | re.MULTILINE)
    found = [table.search(str(file.__doc__)) for file in files]
    return [match[0] for match in found if match]


def row(name: str) -> list[str]:
    """The three cells of a row."""
    line = next(line for line in tables()[0].splitlines() if line.strip().startswith(name))
    return re.split(r" {2,}", line.strip())[1:]


def test_all_three_files_tell_the_same() -> None:
    """Word for word."""
    first, *others = tables()
    assert [first, first] == others


def test_the_figures_are_those_of_the_embedded_model() -> None:
    """Counted in its U-Net and in the files that are shipped."""
    (checkpoint,) = BUILTIN["checkpoints"].values()
    unet = load_checkpoint(checkpoint).unet
    whole = sum(weight.numel() for weight in unet.parameters())
    lora = adapted(unet, RECIPE.targets, RECIPE.rank, RECIPE.alpha).adapters
    (word,), (control,) = BUILTIN["embeddings"].values(), BUILTIN["controlnet"].values()
    files = [open_checkpoint(path) for path in (word, control)]
    counts = [
        sum(weight.numel() for weight in lora.parameters()),
        *(sum(math.prod(shape) for shape in file.shapes.values()) for file in files),
    ]
    assert row("numbers") == [f"{count:,}" for count in counts]
    assert row("of the U-Net's")[:2] == [f"1/{round(whole / count):,}" for count in counts[:2]]
    assert round(5 * counts[2] / whole) == 2
    sizes = [2 * counts[0], word.stat().st_size, control.stat().st_size]  # two bytes a number
    units = [f"{sizes[0] / 1e6:.1f} MB", f"{sizes[1] / 1e3:.0f} kB", f"{sizes[2] / 1e6:.1f} MB"]
    assert row("its file") == units
