"""What the judge learns from: drawn pictures, all that they show, and how they are spoilt.

Scenes are sampled with every combination that there is, those held out from the generator
too.  A picture is known by its number: the same number always gives the same scene.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from safelight.diffusion.vae import AutoencoderKL
from safelight.training.world import (
    CAST,
    HELD_OUT_STYLE,
    HELD_OUT_SUBJECT,
    JUDGED,
    Actor,
    Scene,
    labels,
    render,
    sample_scene,
)

MIX: Final = replace(JUDGED, single=50, placed=12, pair=30, count=8, styles=(60, 14, 13, 13))
SIZE_PX = 128
MOST_ACTORS = 2
UNSEEN = -1  # the label of what the picture does not show
LATENT_NOISE = 0.1  # added to their latents, as samplers leave some
ENCODED_AT_ONCE = 16
FIRST_KEPT = 2**19  # their numbers begin here
FIRST_LEARNT, NUMBERS = 2**20, 2**40  # pictures to learn from have numbers from this range


class Answers(NamedTuple):
    """What pictures show, as labels, UNSEEN where there is nothing to see.

    The first four are (B, MOST_ACTORS), the others (B,).
    """

    subject: Int[Tensor, "B A"]
    colour: Int[Tensor, "B A"]
    clothing: Int[Tensor, "B A"]  # 0 for nothing, else 1 + the garment
    clothing_colour: Int[Tensor, "B A"]
    setting: Int[Tensor, " B"]
    style: Int[Tensor, " B"]
    figures: Int[Tensor, " B"]  # one less than there are


def judged_scene(number: int) -> Scene:
    """The scene with this number: now and then the held-out subject, or the held-out style."""
    rng = Random(f"judge {number}")
    scene = sample_scene(rng, MIX)
    if len(scene.actors) == 1 and rng.random() < 1 / len(CAST):
        actor = scene.actors[0]
        scene = replace(scene, actors=(Actor(HELD_OUT_SUBJECT, actor.colour, size=actor.size),))
    if rng.random() < 1 / 12:
        scene = replace(scene, style=HELD_OUT_STYLE)
    return scene


def to_pictures(scenes: Sequence[Scene], seeds: Sequence[int]) -> Float[Tensor, "B 3 H W"]:
    """Draw scenes, in -1..1; there may be more seeds than scenes."""
    drawn = [
        np.asarray(render(scene, SIZE_PX, seed)) for scene, seed in zip(scenes, seeds, strict=False)
    ]
    levels = torch.from_numpy(np.stack(drawn)).permute(0, 3, 1, 2)
    return levels.float().div_(127.5).sub_(1).contiguous()


def answers(scenes: Sequence[Scene]) -> Answers:
    """The truth about scenes."""
    own = torch.full((4, len(scenes), MOST_ACTORS), UNSEEN)
    for index, scene in enumerate(scenes):
        for place, actor in enumerate(scene.actors):
            said = labels(replace(scene, actors=(actor,)))
            read = (said.subject, said.colour, said.clothing, said.clothing_colour)
            own[:, index, place] = torch.tensor(read)
    firsts = [labels(scene) for scene in scenes]
    figures = [scene.count * len(scene.actors) - 1 for scene in scenes]
    setting = torch.tensor([said.setting for said in firsts])
    style = torch.tensor([said.style for said in firsts])
    subject, colour, clothing, clothing_colour = own.unbind()
    return Answers(
        subject, colour, clothing, clothing_colour, setting, style, torch.tensor(figures)
    )


def spoilt(pictures: Float[Tensor, "B 3 H W"], draw: torch.Generator) -> Float[Tensor, "B 3 H W"]:
    """Blur, tint in patches and dust pictures, each by a strength of its own."""
    count, _, height, width = pictures.shape
    blur, tint, dust = torch.rand(3, count, 1, 1, 1, generator=draw).square()
    soft = F.avg_pool2d(F.pad(pictures, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    patches = torch.randn(count, 3, height // 16, width // 16, generator=draw)
    tinted = F.interpolate(patches, size=(height, width), mode="bilinear")
    dusty = torch.randn(pictures.shape, generator=draw)
    return pictures.lerp(soft, blur) + 0.12 * tint * tinted + 0.12 * dust * dusty


@dataclass(frozen=True, eq=False)
class Kept:
    """Pictures of bytes that went through an autoencoder, and what they show."""

    pictures: UInt8[Tensor, "N 3 H W"]
    scenes: Sequence[Scene]

    def choose(
        self, count: int, draw: torch.Generator
    ) -> tuple[Float[Tensor, "B 3 H W"], list[Scene]]:
        """Take some, in -1..1."""
        chosen = torch.randint(len(self.scenes), (count,), generator=draw)
        pictures = self.pictures[chosen].float().div_(127.5).sub_(1)
        return pictures, [self.scenes[number] for number in chosen.tolist()]


@torch.no_grad()
def through(autoencoder: AutoencoderKL, numbers: range) -> Kept:
    """Draw pictures, and encode and decode them with a little noise on the latents."""
    draw = torch.Generator().manual_seed(numbers.start)
    scenes = [judged_scene(number) for number in numbers]
    decoded: list[Tensor] = []
    for start in range(0, len(numbers), ENCODED_AT_ONCE):
        part = slice(start, start + ENCODED_AT_ONCE)
        with torch.autocast("cpu", torch.bfloat16):
            latents = autoencoder.encode(to_pictures(scenes[part], numbers[part])).mean.float()
            noise = torch.randn(latents.shape, generator=draw)
            pictures = autoencoder.decode(latents + LATENT_NOISE * latents.std() * noise).float()
        decoded.append(pictures.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8))
    return Kept(torch.cat(decoded), scenes)
