"""Pictures for programs written for OpenAI's API, made by a workflow that the user picks.

The workflow needs a parameter `prompt`, for edits one `image` that names an uploaded file, and for
several pictures one `seed`.  Each picture is a job of its own, like any other in the queue.
"""

import asyncio
import base64
import hashlib
import io
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from safelight.graph.comfy import nodes_of
from safelight.graph.folders import Folders
from safelight.graph.schema import Schema
from safelight.graph.settings import apply_settings
from safelight_server import files, pictures
from safelight_server.files import Stored
from safelight_server.openai_requests import EditRequest, ImageRequest
from safelight_server.protocol import JsonObject, Refused
from safelight_server.settings import Settings
from safelight_server.shelf import SchemaShelf
from safelight_server.workflows import Library
from safelight_server.workflows_calls import LONGEST_WAIT, Calling, Calls, WorkflowRun
from safelight_server.workflows_examples import IMAGE_TO_IMAGE, TEXT_TO_IMAGE
from safelight_server.workflows_functions import Parameter, parameters_of, view_address

GENERATIONS, EDITS = "safelight.openai.generations", "safelight.openai.edits"  # settings
_USUAL = {GENERATIONS: TEXT_TO_IMAGE, EDITS: IMAGE_TO_IMAGE}
_SUBFOLDER = "openai"  # of the input folder
_SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp"}
_USUAL_SEEDS = 2**32 - 1  # the greatest; where a workflow takes less, so much is drawn
_MASK_SLOT = 1  # of a node that reads pictures


@dataclass(frozen=True, slots=True)
class Picked:
    """The workflow for a request, and what it can be given."""

    document: Mapping[str, Any]
    known: Mapping[str, Parameter]
    schema: Schema

    @property
    def name(self) -> str:
        """What the user calls it."""
        return str(self.document.get("name", ""))


class Images:
    """Makes pictures on request and waits for them."""

    def __init__(
        self,
        library: Library,
        calls: Calls,
        settings: Settings,
        shelf: SchemaShelf,
        folders: Folders,
    ) -> None:
        self._library = library
        self._calls = calls
        self._settings = settings
        self._shelf = shelf
        self._folders = folders

    async def generate(self, asked: ImageRequest) -> list[JsonObject]:
        """Return the pictures that words ask for: as addresses, or as text that holds them.

        Raises:
            Refused: 400 when the workflow cannot follow, 500 when it failed, 504 when it takes
                too long (the jobs go on).
        """
        picked = await self._picked(GENERATIONS, asked.model)
        return await self._made(picked, asked, {})

    async def edit(self, wanted: EditRequest) -> list[JsonObject]:
        """Return pictures made of another one.

        Raises:
            Refused: As `generate`, and 400 when the picture or the mask cannot be read.
        """
        picked = await self._picked(EDITS, wanted.asked.model)
        image = picked.known.get("image")
        if image is None or image.spec.folder != "input":
            raise _unfit(picked.name, 'has no parameter "image" that names a picture', "model")
        if wanted.mask is not None and not _reads_mask(picked.document, image.node):
            raise _unfit(picked.name, "does nothing with a mask; leave it out", "mask")
        name = await asyncio.to_thread(self._kept, wanted)
        return await self._made(picked, wanted.asked, {"image": name})

    async def _picked(self, setting: str, model: str | None) -> Picked:
        """Return the workflow that a model names, or else the one that the user has picked."""
        chosen = (await self._settings.all()).get(setting)
        picked = chosen if isinstance(chosen, str) and chosen else _USUAL[setting]
        try:
            _, document = await self._library.document(model or picked)
        except Refused as refused:
            if refused.status != 404:
                raise
            _, document = await self._library.document(picked)
        schema = await self._shelf.wait()
        known = parameters_of(document, schema)
        if "prompt" not in known:
            raise _unfit(str(document.get("name")), 'has no parameter "prompt"', "model")
        return Picked(document, known, schema)

    async def _made(
        self, picked: Picked, asked: ImageRequest, values: JsonObject
    ) -> list[JsonObject]:
        if "seed" not in picked.known and (asked.n > 1 or asked.seed is not None):
            name = "n" if asked.n > 1 else "seed"
            raise _unfit(picked.name, 'has no parameter "seed", so it makes one picture', name)
        document = _sized(picked, asked)
        values = {**values, "prompt": asked.prompt}
        begun: list[tuple[str, Mapping[str, Any]]] = []
        for seed in _seeds(asked, picked.known.get("seed")):
            seeded = {**values, "seed": seed} if "seed" in picked.known else values
            begun.append(await self._calls.submit(document, seeded, Calling()))
        waits = (self._calls.outcome(job, filled, LONGEST_WAIT) for job, filled in begun)
        shown = [_first(run) for run in await asyncio.gather(*waits)]
        if asked.response_format == "url":
            return [{"url": view_address(file)} for file in shown]
        return [{"b64_json": await asyncio.to_thread(self._encoded, file)} for file in shown]

    def _encoded(self, file: Mapping[str, Any]) -> str:
        names = (str(file.get(key, "")) for key in ("filename", "type", "subfolder"))
        path: Path = files.locate(self._folders, *names)
        return base64.b64encode(path.read_bytes()).decode()

    def _kept(self, wanted: EditRequest) -> str:
        """Keep the picture of an edit among the inputs; return its name there."""
        name = self._stored(wanted.image, _suffix(wanted.image, "image"))
        if wanted.mask is None:
            return name
        _suffix(wanted.mask, "mask")
        original = self._folders.resolve("input", name)
        try:
            masked = pictures.with_alpha_of(io.BytesIO(wanted.mask), original)
        except Refused as refused:
            raise Refused(refused.kind, refused.message, extra={"param": "mask"}) from refused
        return self._stored(masked, ".png")

    def _stored(self, content: bytes, suffix: str) -> str:
        """Keep a picture under a name of its content, once; return what inputs call it."""
        name = f"{hashlib.sha256(content).hexdigest()[:24]}{suffix}"
        stored = Stored(name, _SUBFOLDER, "input")
        kept = files.keep_upload(self._folders, io.BytesIO(content), stored, overwrite=False)
        return f"{kept.subfolder}/{kept.name}"


def _sized(picked: Picked, asked: ImageRequest) -> Mapping[str, Any]:
    """Return the workflow with the size that is asked for.

    That is set by the parameters `width` and `height`, or else on the one node that makes an
    empty latent.
    """
    sides = asked.sides()
    if sides is None:
        return picked.document
    names = ("width", "height")
    if all(name in picked.known for name in names):
        places = [f"{picked.known[name].node}.{picked.known[name].spec.name}" for name in names]
    else:
        blank = list(_blank(picked))
        if len(blank) != 1:
            raise _unfit(picked.name, 'makes pictures of its own size; use "auto"', "size")
        places = [f"{blank[0]}.{name}" for name in names]
    return apply_settings(picked.document, dict(zip(places, sides, strict=True)), picked.schema)


def _blank(picked: Picked) -> Iterator[str]:
    """Yield the nodes that make a latent of a size out of nothing."""
    for key, node in nodes_of(picked.document).items():
        spec = picked.schema.nodes.get(node.class_type)
        if spec is None or not {"width", "height"} <= set(spec.by_name):
            continue
        makes = [output.type for output in spec.outputs] == ["LATENT"]
        if makes and not any(entry.socket for entry in spec.inputs):
            yield key


def _seeds(asked: ImageRequest, parameter: Parameter | None) -> list[int]:
    """Return a seed for each picture: from the one that is asked for upwards, or any that fit."""
    if asked.seed is not None:
        return [asked.seed + index for index in range(asked.n)]
    spec = None if parameter is None else parameter.spec
    least = int(spec.min or 0) if spec is not None else 0
    most = int(spec.max) if spec is not None and spec.max is not None else _USUAL_SEEDS
    count = max(min(most, _USUAL_SEEDS) - least, 0) + 1
    return [least + secrets.randbelow(count) for _ in range(asked.n)]


def _first(run: WorkflowRun) -> Mapping[str, Any]:
    """Return the first picture of a run, or tell why there is none."""
    if not run.over:
        message = f"The picture is not ready after {LONGEST_WAIT} seconds; job {run.job} goes on."
        raise Refused("timeout", message, status=504)
    if run.error is not None or run.status != "completed":
        reason = run.error["message"] if run.error is not None else f"it was {run.status}"
        raise Refused("generation_failed", f"The job {run.job} failed: {reason}", status=500)
    for output in run.results.values():
        found = output.get("images") if isinstance(output, Mapping) else None
        if isinstance(found, list) and found and isinstance(found[0], Mapping):
            return found[0]
    message = f"The job {run.job} showed no picture."
    raise Refused("generation_failed", message, status=500)


def _reads_mask(document: Mapping[str, Any], node: str) -> bool:
    """Whether anything is wired to the mask of the node that reads the picture."""
    links = (value for each in nodes_of(document).values() for value in each.inputs.values())
    return any(link == [node, _MASK_SLOT] for link in links)


def _suffix(content: bytes, name: str) -> str:
    """Return the ending for a picture's kind, having read all of it."""

    def read(picture: Image.Image) -> str:
        picture.load()
        return _SUFFIXES.get(picture.format or "", "")

    try:
        suffix = pictures.opened(io.BytesIO(content), read, f'"{name}"')
    except Refused as refused:
        raise Refused(refused.kind, refused.message, extra={"param": name}) from refused
    if not suffix:
        message = f'"{name}" must be a PNG, a JPEG or a WebP.'
        raise Refused("not_a_picture", message, extra={"param": name})
    return suffix


def _unfit(name: str, reason: str, parameter: str) -> Refused:
    message = f"The workflow {name!r} {reason}."
    return Refused("unsupported_value", message, extra={"param": parameter})
