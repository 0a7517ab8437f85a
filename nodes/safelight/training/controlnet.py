r"""Training a ControlNet: a copy of half the U-Net learns to draw along given edges.

Every picture has its edges, so no one need draw hints: Canny's detector makes them.  The
embedded U-Net stays as it is, the copy phi and its zero convolutions learn by the loss that
the U-Net itself was trained with (`denoiser`),

    loss = | v - v'(x_t, t, c, residuals = phi(x_t, t, c, edges)) |^2

Many captions are left empty, so that the edges have to be read and not guessed from words, and
pictures of one large figure in the middle are left out: there edges say little that is new.

How well it went is measured where the prompt does not say it: the hint shows a figure at one
side and perhaps small, the prompt tells of the figure, its colour and the setting, but not
where it is.  The edges of what is drawn from noise are compared with those that were given,

    agreement = F1 of both edge maps, 2 pixels apart counting as the same (`edges`)

and without the ControlNet, to know how much of that is chance.  Whether the prompt is still
followed is told by the colour, which no edge shows: the coat in which the drawn world's own
picture of the scene is nearest to what was drawn.

Source: Zhang et al. 2023 (arXiv:2302.05543), section 3.2 (half of the captions left empty).
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import torch
from jaxtyping import Float
from torch import Tensor

from safelight import __version__
from safelight.diffusion.control import Control
from safelight.diffusion.controlnet import ControlNet, ControlNetConfig, copied
from safelight.diffusion.edges import canny, edge_agreement
from safelight.diffusion.family_control import single_file
from safelight.diffusion.settings import Settings, checkpoint_metadata
from safelight.diffusion.weights import save_checkpoint
from safelight.training.denoiser import velocity_error
from safelight.training.inversion import EMBEDDED, embedded_model
from safelight.training.likeness import distance, drawings
from safelight.training.loop import Pace, load_average
from safelight.training.pictures import MIXES, Captions, Pictures
from safelight.training.place import place_of
from safelight.training.prompts import Model, draw_prompts
from safelight.training.sheet import save_sheet
from safelight.training.world import HELD_OUT_PAIRS, SUBJECTS, Actor, Scene, caption

NAME = "safelight-edges-controlnet"
HINT_WIDTHS = (16, 16, 32, 64)  # thinner than published ones: at 128 pixels they cost the most
PACE = Pace(batch=32, muon=0.015, adamw=1.5e-3, flat=0.6, average=0.98, report_every_s=1e9)
LOW, HIGH = 0.2, 0.4  # Canny's thresholds for drawn pictures
UNTOLD = 0.4  # share of captions left empty
# The loss asks for no more than a hint is worth on average, over all levels; drawn pictures keep
# to edges better when told louder: F1 at 1, 1.4 and 1.7 times was 0.63, 0.81 and 0.85.
GAIN = 1.5
MEASURED, SHOWN = 24, 8  # scenes behind the figures, and on the sheet
SEED = 5
SIZE_PX = 128
COLOURS_ASKED = ("red", "blue", "green", "yellow", "purple")
PLACES = ("meadow", "snow", "night", "plain")


def hints_of(pictures: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 3 H W"]:
    """Draw the edges of pictures in -1..1, white on black."""
    return canny((pictures + 1) / 2, LOW, HIGH).expand(-1, 3, -1, -1)


class ControlNetStage:
    """A copy of half the U-Net learns to follow edges."""

    name = "controlnet"

    def __init__(
        self,
        model: Model,
        pictures: Pictures,
        latents: Float[Tensor, "N z h w"],
        captions: Captions,
        measured: int = MEASURED,
    ) -> None:
        """Learn from pictures, their `latents` of unit deviation and what is told of them."""
        self.model, self.measured = model, measured
        self.pictures, self.latents, self.captions = pictures, latents, captions
        for network in (model.unet, model.text, model.autoencoder):
            network.eval().requires_grad_(False)
        config = ControlNetConfig(model.unet.config, hint_widths=HINT_WIDTHS)
        self.network = copied(model.unet, config).train().requires_grad_(True)

    def loss(self, count: int, draw: torch.Generator, spent: float) -> Tensor:
        """Tell the velocity of `count` noisy latents, shown the edges below."""
        several = self.captions.choose(3 * count, draw)
        chosen = several[several % len(MIXES) > 0][:count]  # none whose place goes without saying
        told = self.captions.pick(chosen, draw)
        untold = torch.rand(len(chosen), generator=draw) < UNTOLD
        texts = ["" if empty else text for text, empty in zip(told, untold.tolist(), strict=True)]
        with torch.no_grad():
            context = self.model.text(self.model.words.ids(texts))
            hints = hints_of(self.pictures.batch(chosen))

        latents = self.latents[chosen].float()
        return steered_error(self.network, self.model, latents, context, hints, draw)

    def report(self, folder: Path) -> dict[str, float]:
        """Draw figures where hints show them, and without hints; leave a sheet."""
        scenes = aside(self.measured)
        prompts = [told_nowhere(scene, index) for index, scene in enumerate(scenes)]
        hints = hints_of(drawings(scenes, SIZE_PX))
        steered = draw_prompts(self.model, prompts, SEED, control=(self.control(hints),))
        free = draw_prompts(self.model, prompts, SEED)
        shown = torch.cat([row[:SHOWN] for row in (hints * 2 - 1, steered, free)])
        captions = [""] * 2 * SHOWN + prompts[:SHOWN]
        save_sheet(folder / "sheet.png", shown, columns=SHOWN, captions=captions)
        return {
            "edge_f1": agreement(steered, hints),
            "edge_f1_without": agreement(free, hints),
            "colour": right_colours(steered, scenes),
        }

    def control(self, hints: Float[Tensor, "B 3 H W"], strength: float = 1.0) -> Control:
        """Show hints to the network as it is now."""
        return Control(self.network, hints, strength * GAIN)


def steered_error(
    network: ControlNet,
    model: Model,
    latents: Float[Tensor, "B z h w"],
    context: Float[Tensor, "B L D"],
    hints: Float[Tensor, "B 3 H W"],
    draw: torch.Generator,
) -> Float[Tensor, ""]:
    """How wrong the model tells the velocity of noisy latents when steered by hints."""
    place = place_of(network)
    unet = model.unet.to(place)

    def steered(*asked: Tensor) -> Tensor:
        there = [part.to(place) for part in asked]
        told: Tensor = unet(*there, residuals=network(*there, hints.to(place)))
        return told.cpu()

    return velocity_error(steered, latents, context, draw)


def agreement(drawn: Float[Tensor, "B 3 H W"], hints: Float[Tensor, "B 3 H W"]) -> float:
    """Return how well pictures in -1..1 keep to the edges they were given: the mean F1."""
    return float(edge_agreement(hints_of(drawn)[:, :1], hints[:, :1]).mean())


def aside(count: int) -> list[Scene]:
    """Scenes of one figure at one side, every other one small, in turn of every kind."""
    scenes: list[Scene] = []
    for index in range(count):
        subject = SUBJECTS[index % len(SUBJECTS)]
        colours = [one for one in COLOURS_ASKED if (subject, one) not in HELD_OUT_PAIRS]
        actor = Actor(subject, colours[index % len(colours)], size=("small", "medium")[index % 2])
        side, setting = ("left", "right")[index // 2 % 2], PLACES[index % len(PLACES)]
        scenes.append(Scene((actor,), setting, setting_named=True, side=side))
    return scenes


def told_nowhere(scene: Scene, number: int) -> str:
    """Tell of a scene, but neither where the figure is nor how large."""
    actor = replace(scene.actors[0], size="medium")
    return caption(replace(scene, actors=(actor,), side="centre"), Random(number))


def right_colours(drawn: Float[Tensor, "B 3 H W"], scenes: Sequence[Scene]) -> float:
    """Return the share of pictures whose figure has the colour that was asked for."""
    right = 0
    for picture, scene in zip(drawn, scenes, strict=True):
        actor = scene.actors[0]
        others = [replace(scene, actors=(replace(actor, colour=one),)) for one in COLOURS_ASKED]
        nearest = min(others, key=lambda other: float(distance(picture, other)))
        right += nearest.actors[0].colour == actor.colour
    return right / len(scenes)


def export_controlnet(state: Path, path: Path, base: Path = EMBEDDED) -> None:
    """Write the ControlNet that a run left in `state`, in the layout of version 1.5."""
    config = ControlNetConfig(embedded_model(base).unet.config, hint_widths=HINT_WIDTHS)
    network = ControlNet(config)
    kept = load_average(state, network)
    raise_voice(network)
    recipe = {
        "steps": kept["step"],
        "samples": kept["samples"],
        "minutes": round(kept["seconds"] / 60, 1),
        "canny": [LOW, HIGH],
        **{name: round(value, 4) for name, value in kept["figures"].items()},
    }
    about = {
        "name": NAME,
        "base": f"{base.name} {hashlib.sha256(base.read_bytes()).hexdigest()[:16]}",
        "recipe": json.dumps(recipe),
        "version": __version__,
    }
    settings = Settings(unet_heads=config.unet.heads, unet_groups=config.unet.groups)
    tensors = {name: tensor.half() for name, tensor in single_file(network).items()}
    save_checkpoint(path, tensors, checkpoint_metadata(settings, about=about) | MODEL_SPEC)


@torch.no_grad()
def raise_voice(network: ControlNet, gain: float = GAIN) -> None:
    """Fold a gain into the convolutions through which a ControlNet speaks."""
    for parameter in (*network.zeros.parameters(), *network.zero_middle.parameters()):
        parameter.mul_(gain)


MODEL_SPEC = {
    "modelspec.sai_model_spec": "1.0.0",
    "modelspec.architecture": "stable-diffusion-v1/controlnet",
    "modelspec.implementation": "safelight",
    "modelspec.title": "Safelight First Light, edges",
    "modelspec.license": "Apache-2.0",
    "modelspec.resolution": "128x128",
}
