"""Training a ControlNet on pictures of one's own, in a folder with captions.

Everything is as in `controlnet`: the hints are the edges of the pictures, many captions are left
empty, and the U-Net stays.  How well the edges are kept is measured on the pictures themselves,
with their captions, from noise that is always the same.
"""

from pathlib import Path

import torch
from torch import Tensor

from safelight.diffusion.control import Control
from safelight.diffusion.controlnet import ControlNetConfig, copied
from safelight.diffusion.latent import SD1
from safelight.training.captioned import Examples
from safelight.training.controlnet import (
    HINT_WIDTHS,
    SEED,
    SHOWN,
    UNTOLD,
    agreement,
    hints_of,
    steered_error,
)
from safelight.training.prompts import Model, draw_prompts
from safelight.training.sheet import save_sheet

ENCODED_AT_ONCE = 32


class OwnControlNetStage:
    """A copy of half the U-Net learns to follow the edges of one's own pictures."""

    name = "controlnet"

    def __init__(self, model: Model, examples: Examples) -> None:
        """Learn from pictures of the size that the model draws."""
        self.model, self.examples = model, examples
        for network in (model.unet, model.text, model.autoencoder):
            network.eval().requires_grad_(False)
        config = ControlNetConfig(model.unet.config, hint_widths=HINT_WIDTHS)
        self.network = copied(model.unet, config).train().requires_grad_(True)
        self.hints = hints_of(examples.pictures)
        with torch.no_grad():
            some = torch.split(examples.pictures, ENCODED_AT_ONCE)
            means = [model.autoencoder.encode(part).mean.float() for part in some]
        self.latents = torch.cat(means) * SD1.scale

    def loss(self, count: int, draw: torch.Generator, spent: float) -> Tensor:
        """Tell the velocity of `count` noisy latents, shown the edges below."""
        chosen = torch.randint(len(self.latents), (count,), generator=draw)
        ways = torch.rand(count, generator=draw).tolist()
        untold = (torch.rand(count, generator=draw) < UNTOLD).tolist()
        texts: list[str] = []
        pictures: list[int] = chosen.tolist()
        for picture, way, empty in zip(pictures, ways, untold, strict=True):
            captions = self.examples.captions[picture]
            texts.append("" if empty else captions[int(way * len(captions))])
        with torch.no_grad():
            context = self.model.text(self.model.words.ids(texts))
        latents, hints = self.latents[chosen], self.hints[chosen]
        return steered_error(self.network, self.model, latents, context, hints, draw)

    def report(self, folder: Path) -> dict[str, float]:
        """Draw the first captions along their edges and without; leave a sheet."""
        prompts = [ways[0] for ways in self.examples.captions[:SHOWN]]
        hints = self.hints[:SHOWN]
        steered = draw_prompts(self.model, prompts, SEED, control=(Control(self.network, hints),))
        free = draw_prompts(self.model, prompts, SEED)
        shown = torch.cat([hints * 2 - 1, steered, free])
        captions = [""] * 2 * len(prompts) + prompts
        save_sheet(folder / "sheet.png", shown, columns=len(prompts), captions=captions)
        return {"edge_f1": agreement(steered, hints), "edge_f1_without": agreement(free, hints)}
