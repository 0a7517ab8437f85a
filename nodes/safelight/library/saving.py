"""Nodes that keep models: written as published files are, with the workflow inside."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from safelight.diffusion import writing
from safelight.diffusion.weights import save_checkpoint
from safelight.graph.node import Context, Help, Label, Node, Shown
from safelight.library.values import Clip, Model, Vae

Name = Annotated[str, Label("Name"), Help("Files are numbered after it; a/b makes a folder a.")]
SUFFIX = ".safetensors"


@dataclass(frozen=True, slots=True)
class Kept(Shown):
    """Files that were written, and where."""

    paths: tuple[Path, ...] = ()

    @property
    def still_there(self) -> bool:
        """Whether every file exists, so that nothing need be written again."""
        return all(path.is_file() for path in self.paths)


def kept(ctx: Context, prefix: str, *files: tuple[str, writing.File]) -> Kept:
    """Write model files to the output folder, numbered together; each may have a name more."""
    records: list[dict[str, object]] = []
    paths: list[Path] = []
    for name, content in files:
        file = ctx.folders.new_output("output", prefix + name, 0, 0).file(0, SUFFIX)
        texts = {key: json.dumps(value) for key, value in ctx.metadata.items()}
        save_checkpoint(file.path, content.tensors, texts | dict(content.metadata))
        records.append(dict(file.record()))
        paths.append(file.path)
    return Kept({"files": list(records)}, tuple(paths))


def denoiser_file(model: Model) -> writing.File:
    """Return a model's network as a file of its family has it."""
    family = writing.of_name(model.family)
    return writing.denoiser_file(family, model.network, model.denoiser.prediction, model.format.rgb)


class _Keeping(Node):
    """A node that writes files, and writes them again if somebody has deleted them."""

    category: ClassVar[str] = "advanced/model_merging"
    effect: ClassVar[bool] = True

    @classmethod
    def holds(cls, result: object) -> bool:
        """Write again what is gone."""
        return isinstance(result, Kept) and result.still_there


class CheckpointSave(_Keeping):
    """Keep a model whole: denoiser, text encoders and autoencoder in one file.

    It is named as published checkpoints are, so other programs read it too. Only weights are
    kept; what nodes change about the way they are computed is not.
    """

    category: ClassVar[str] = "advanced/model_merging"
    title: ClassVar[str] = "Save checkpoint"
    effect: ClassVar[bool] = True
    model: Model
    clip: Clip
    vae: Vae
    filename_prefix: Name = "checkpoints/safelight"

    def run(self, ctx: Context) -> Shown:
        """Write the file."""
        family = writing.of_name(self.model.family)
        whole = writing.checkpoint_file(
            family, denoiser_file(self.model), self.clip.texts.towers, self.vae.network
        )
        return kept(ctx, self.filename_prefix, ("", whole))


class ModelSave(_Keeping):
    """Keep a model's denoiser in a file of its own."""

    category: ClassVar[str] = "advanced/model_merging"
    title: ClassVar[str] = "Save denoiser"
    effect: ClassVar[bool] = True
    model: Model
    filename_prefix: Name = "diffusion_models/safelight"

    def run(self, ctx: Context) -> Shown:
        """Write the file."""
        return kept(ctx, self.filename_prefix, ("", denoiser_file(self.model)))


class CLIPSave(_Keeping):
    """Keep text encoders, each in a file of its own."""

    category: ClassVar[str] = "advanced/model_merging"
    title: ClassVar[str] = "Save text encoders"
    effect: ClassVar[bool] = True
    clip: Clip
    filename_prefix: Name = "clip/safelight"

    def run(self, ctx: Context) -> Shown:
        """Write the files."""
        files = writing.text_files(self.clip.texts.towers)
        return kept(
            ctx, self.filename_prefix, *((f"_{NAMES[name]}", file) for name, file in files.items())
        )


class VAESave(_Keeping):
    """Keep an autoencoder in a file of its own."""

    category: ClassVar[str] = "advanced/model_merging"
    title: ClassVar[str] = "Save VAE"
    effect: ClassVar[bool] = True
    vae: Vae
    filename_prefix: Name = "vae/safelight_vae"

    def run(self, ctx: Context) -> Shown:
        """Write the file."""
        return kept(ctx, self.filename_prefix, ("", writing.autoencoder_file(self.vae.network)))


# What files of text encoders are called.
NAMES = {"l": "clip_l", "h": "clip_h", "g": "clip_g", "t5": "t5xxl"}
