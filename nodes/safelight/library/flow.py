"""Nodes for Stable Diffusion 3 and Flux: their latents, schedules and prompts."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, ClassVar

from safelight.diffusion.latent import CHANNELS
from safelight.diffusion.schedule import FlowSchedule
from safelight.diffusion.sentences import T5Tower
from safelight.diffusion.texts import Texts
from safelight.graph.folders import Folders
from safelight.graph.node import Choice, Context, Help, Label, Node, Output, Range, Text
from safelight.library.latent import DOWNSCALE
from safelight.library.prompts import stamped, told
from safelight.library.values import Clip, Conditioning, Latent, Model, empty_latent

Prompt = Annotated[str, Text(multiline=True), Help("What the picture shows.")]
Side = Annotated[int, Range(16, 16384, step=16), Help("In pixels.")]
Guidance = Annotated[
    float, Range(0.0, 100.0, step=0.1), Help("The scale that the model is told; 3.5 is usual.")
]
FEWEST, MOST = 256, 4096  # patches of the pictures for which Flux's two shifts were found
PATCH = 2 * DOWNSCALE  # pixels along a patch


class NotAFlow(ValueError):
    """A model was to be shifted that has no shift: it is no rectified flow."""


class EmptySD3LatentImage(Node):
    """Start from nothing, for Stable Diffusion 3 and Flux.

    Their latents have 16 channels. These models draw best at about 1024 pixels a side.
    """

    category: ClassVar[str] = "latent/sd3"
    title: ClassVar[str] = "Empty latent, 16 channels"
    width: Side = 1024
    height: Side = 1024
    batch_size: Annotated[
        int, Range(1, 4096), Label("Pictures"), Help("How many to make at once.")
    ] = 1

    def run(self, ctx: Context) -> Annotated[Latent, Output("LATENT")]:
        """Return zeros."""
        empty = empty_latent(self.batch_size, self.height // DOWNSCALE, self.width // DOWNSCALE)
        return empty.with_samples(empty.samples[:, :1].repeat(1, CHANNELS, 1, 1))


class ModelSamplingSD3(Node):
    """Spend more steps at high noise: shift the levels of a rectified flow.

    Large pictures hide noise better, so they need more of it while their composition forms.
    Stable Diffusion 3 was made with a shift of 3; 1 is no shift at all.
    """

    category: ClassVar[str] = "advanced/model"
    title: ClassVar[str] = "Shift noise levels"
    model: Model
    shift: Annotated[float, Range(0.0, 100.0, step=0.01), Help("How far; 3 is usual.")] = 3.0

    def run(self, ctx: Context) -> Annotated[Model, Output("MODEL")]:
        """Return the same network on shifted levels."""
        schedule = flow_of(self.model)
        return on_schedule(self.model, replace(schedule, shift=self.shift, levels=1000))


class ModelSamplingFlux(Node):
    """Shift the levels of Flux as much as the size of the picture asks for.

    The logarithm of the shift grows along a line with the number of patches: the base shift
    is for pictures of 256 pixels a side, the largest for 1024.
    """

    category: ClassVar[str] = "advanced/model"
    title: ClassVar[str] = "Shift noise levels by size"
    model: Model
    max_shift: Annotated[float, Range(0.0, 100.0, step=0.01), Help("At 1024 by 1024.")] = 1.15
    base_shift: Annotated[float, Range(0.0, 100.0, step=0.01), Help("At 256 by 256.")] = 0.5
    width: Annotated[int, Range(16, 16384, step=8), Help("Of the picture, in pixels.")] = 1024
    height: Annotated[int, Range(16, 16384, step=8), Help("Of the picture, in pixels.")] = 1024

    def run(self, ctx: Context) -> Annotated[Model, Output("MODEL")]:
        """Return the same network on shifted levels."""
        patches = self.width * self.height / PATCH**2
        share = (patches - FEWEST) / (MOST - FEWEST)
        mu = self.base_shift + share * (self.max_shift - self.base_shift)
        schedule = flow_of(self.model)
        return on_schedule(self.model, replace(schedule, shift=math.exp(mu), levels=10_000))


class FluxGuidance(Node):
    """Say how closely a distilled model shall follow the prompt.

    Flux dev was taught to answer as if it had been guided, at whatever scale it is told, so
    the sampler's own guidance stays at 1. Other models do not hear of it.
    """

    category: ClassVar[str] = "advanced/conditioning/flux"
    title: ClassVar[str] = "Guidance for Flux"
    conditioning: Conditioning
    guidance: Guidance = 3.5

    def run(self, ctx: Context) -> Annotated[Conditioning, Output("CONDITIONING")]:
        """Return the same conditioning with a scale."""
        whole = self.conditioning.whole.with_guidance(self.guidance)
        return replace(self.conditioning, whole=whole)


class FluxDisableGuidance(Node):
    """Take back the guidance scale that a prompt carries: the model hears its usual one."""

    category: ClassVar[str] = "advanced/conditioning/flux"
    title: ClassVar[str] = "No guidance for Flux"
    conditioning: Conditioning

    def run(self, ctx: Context) -> Annotated[Conditioning, Output("CONDITIONING")]:
        """Return the same conditioning without a scale."""
        whole = self.conditioning.whole.each(lambda one: replace(one, guidance=None))
        return replace(self.conditioning, whole=whole)


class CLIPTextEncodeFlux(Node):
    """Turn a prompt into conditioning for Flux, with a text for each of its two encoders.

    T5 reads whole sentences and gives nearly all of the meaning; CLIP adds one vector that
    stands for the picture as a whole.
    """

    category: ClassVar[str] = "advanced/conditioning/flux"
    title: ClassVar[str] = "Prompt for Flux"
    clip: Annotated[Clip, Label("Text encoders")]
    clip_l: Prompt
    t5xxl: Prompt
    guidance: Guidance = 3.5

    def run(self, ctx: Context) -> Annotated[Conditioning, Output("CONDITIONING")]:
        """Read each text with its encoder, and add the scale."""
        heard = told(ctx, self.clip.texts, {"l": self.clip_l, "t5": self.t5xxl})
        return Conditioning(heard.with_guidance(self.guidance))

    @classmethod
    def stamp(cls, inputs: Mapping[str, object], folders: Folders) -> str:
        """Read again when a mentioned file has changed."""
        return stamped(folders, inputs.get("clip_l"))


class CLIPTextEncodeSD3(Node):
    """Turn a prompt into conditioning for Stable Diffusion 3, with a text for each encoder.

    "none" leaves an encoder out if its text is empty (both CLIPs only together);
    "empty_prompt" lets it read the empty text, as the plain Prompt node does.
    """

    category: ClassVar[str] = "advanced/conditioning"
    title: ClassVar[str] = "Prompt for SD 3"
    clip: Annotated[Clip, Label("Text encoders")]
    clip_l: Prompt
    clip_g: Prompt
    t5xxl: Prompt
    empty_padding: Annotated[
        str, Choice(("none", "empty_prompt")), Label("If empty"), Help("What an empty text means.")
    ]

    def run(self, ctx: Context) -> Annotated[Conditioning, Output("CONDITIONING")]:
        """Read each text with its encoder."""
        prompts = {"l": self.clip_l, "g": self.clip_g, "t5": self.t5xxl}
        whole = self.clip.texts
        texts = speaking(whole, prompts) if self.empty_padding == "none" else whole
        if not texts.towers and whole.towers:
            return Conditioning(told(ctx, whole, prompts).zeroed())
        return Conditioning(told(ctx, texts, prompts))

    @classmethod
    def stamp(cls, inputs: Mapping[str, object], folders: Folders) -> str:
        """Read again when a mentioned file has changed."""
        return stamped(folders, inputs.get("clip_l"), inputs.get("clip_g"))


class T5TokenizerOptions(Node):
    """Choose how far T5's prompts are filled up with padding.

    Models hear the padding too, and some were trained with more of it, some with none.
    """

    category: ClassVar[str] = "_for_testing/conditioning"
    title: ClassVar[str] = "Padding of T5"
    clip: Annotated[Clip, Label("Text encoders")]
    min_padding: Annotated[
        int, Range(0, 10_000, step=1), Label("Padding"), Help("That every prompt gets, in tokens.")
    ] = 0
    min_length: Annotated[
        int, Range(0, 10_000, step=1), Label("Length"), Help("With padding, at least, in tokens.")
    ] = 0

    def run(self, ctx: Context) -> Annotated[Clip, Output("CLIP")]:
        """Change the tower of T5, if there is one."""
        texts = self.clip.texts
        towers = {
            name: replace(tower, least=self.min_length, padding=self.min_padding)
            if isinstance(tower, T5Tower)
            else tower
            for name, tower in texts.towers.items()
        }
        return Clip(replace(texts, towers=towers))


def speaking(texts: Texts, prompts: Mapping[str, str]) -> Texts:
    """Return the encoders that have something to read; T5 reads the end of an empty text."""
    towers = dict(texts.towers)
    if not prompts["l"] and not prompts["g"]:
        towers = {name: tower for name, tower in towers.items() if name not in ("l", "g")}
    t5 = towers.get("t5")
    if isinstance(t5, T5Tower) and not prompts["t5"]:
        towers["t5"] = replace(t5, least=1)
    return replace(texts, towers=towers)


def flow_of(model: Model) -> FlowSchedule:
    """Return the levels of a model that is a rectified flow.

    Raises:
        NotAFlow: it is none.
    """
    schedule = model.denoiser.schedule
    if not isinstance(schedule, FlowSchedule):
        raise NotAFlow(f"{model.family} is no rectified flow, so its noise cannot be shifted")
    return schedule


def on_schedule(model: Model, schedule: FlowSchedule) -> Model:
    """Return a model on other levels."""
    return replace(model, denoiser=replace(model.denoiser, schedule=schedule))
