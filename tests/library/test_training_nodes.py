"""The nodes that teach: on the tiny checkpoint, a few steps each."""

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch
from PIL import Image as PillowImage

import safelight.library
from safelight.diffusion.weights import open_checkpoint
from safelight.graph.catalog import Catalog
from safelight.graph.events import Event, Interrupted, Progress
from safelight.graph.executor import Surroundings, execute
from safelight.graph.folders import Folders
from safelight.graph.node import Node, NullContext
from safelight.graph.schema import describe
from safelight.graph.workflow import parse
from safelight.library.conditioning import CLIPTextEncode
from safelight.library.control import ControlNetApplyAdvanced, ControlNetLoader
from safelight.library.latent import VAEEncode
from safelight.library.loading import CheckpointLoaderSimple, Parts
from safelight.library.lora import LoraLoader
from safelight.library.picture_sets import (
    LoadImageTextSetFromFolderNode,
    LoadPictureSet,
    PictureSet,
)
from safelight.library.sampling import KSampler
from safelight.library.training import TrainLora, TrainLoraNode
from safelight.library.training_files import (
    LoraModelLoader,
    LossGraphNode,
    SaveLoRANode,
)
from safelight.library.training_options import TrainingOptions
from safelight.library.training_words import TrainControlNet, TrainWord
from safelight.library.values import FormatMismatch, Image, Latent
from safelight.training.noised import CannotLearn

T = TypeVar("T")
MIDDLE = "middle.transformer.layers.0.to_pixels.query.weight"


@dataclass(frozen=True, slots=True)
class Watching(NullContext):
    """Looks at every picture, and stops after some steps."""

    stop_after: int = 10_000
    seen: list[bytes] = field(default_factory=list)
    steps_told: list[int] = field(default_factory=list)

    def track(self, steps: Iterable[T], total: int) -> Iterator[T]:
        """Hand on steps until it is time to stop."""
        self.steps_told.append(total)
        for done, step in enumerate(steps, 1):
            yield step
            if done == self.stop_after:
                raise Interrupted("1")

    def preview(self, render: Callable[[], bytes]) -> None:
        """Look."""
        self.seen.append(render())


@pytest.fixture
def pictures(folders: Folders) -> Path:
    """Two pictures with captions, in a folder of the input folder."""
    folder = folders.directory("input") / "cats"
    folder.mkdir()
    for name, colour in (("a", "red"), ("b", "blue")):
        PillowImage.new("RGB", (40, 32), colour).save(folder / f"{name}.png")
        (folder / f"{name}.txt").write_text("a cat in * hat\na * cat" if name == "a" else "a red *")
    return folder


def opened(folders: Folders) -> Parts:
    """Open the tiny checkpoint."""
    return CheckpointLoaderSimple(ckpt_name="tiny.safetensors").run(NullContext(folders))


def cats(folders: Folders) -> PictureSet:
    """The two pictures."""
    return LoadPictureSet(folder="cats", size=32).run(NullContext(folders))


FLOAT32 = TrainingOptions(training_dtype="fp32", batch_size=2).run(NullContext())


def teacher(folders: Folders, kind: type[Node] = TrainLora, **more: Any) -> Any:
    """A node of a kind, ready to teach the tiny model four steps."""
    parts = opened(folders)
    given: dict[str, Any] = {"pictures": cats(folders), "steps": 4, "options": FLOAT32}
    given |= {"model": parts.model, "clip": parts.clip, "vae": parts.vae}
    return kind(**(given | more))


@pytest.mark.usefixtures("pictures")
@pytest.mark.parametrize("text", [False, True])
def test_a_lora_is_kept_and_used_at_once(folders: Folders, text: bool) -> None:
    """What comes by the wire and what is loaded from the file are the same, bit for bit."""
    ctx = Watching(folders)
    result = teacher(folders, rank=2, train_text_encoder=text, name="own/cats").run(ctx)
    parts, taught = opened(folders), result.result
    path = folders.resolve("loras", "own/cats.safetensors")
    assert result.shown.ui["notes"][0]["text"].startswith("kept as loras/own/cats.safetensors, 0.")
    loaded = LoraLoader(model=parts.model, clip=parts.clip, lora_name="own/cats.safetensors")
    model, clip = loaded.run(ctx).result
    for own, other, plain in (
        (taught.model.network, model.network, parts.model.network),
        (*(one.texts.towers["l"].network for one in (taught.clip, clip, parts.clip)),),
    ):
        pairs = zip(own.parameters(), other.parameters(), plain.parameters(), strict=True)
        same, moved = zip(*((a.equal(b), not a.equal(c)) for a, b, c in pairs), strict=True)
        assert all(same)
        assert any(moved) == (text or own is taught.model.network)
    metadata = open_checkpoint(path).metadata
    assert {"ss_network_dim": "2", "ss_base_model_version": "sd_v1"}.items() <= metadata.items()
    assert len(taught.loss.losses) == 4
    assert PillowImage.open(io.BytesIO(ctx.seen[-1])).size == (288 + 384, 288)


@pytest.mark.usefixtures("pictures")
def test_a_stopped_training_goes_on_where_it_was(folders: Folders, tmp_path: Path) -> None:
    """Stopped after three steps and run again, it takes one and keeps the same bits."""
    node = teacher(folders, rank=2, name="cats")
    with pytest.raises(Interrupted):
        node.run(Watching(folders, stop_after=3))
    assert not (folders.directory("loras") / "cats.safetensors").exists()
    again = Watching(folders)
    first = node.run(again)
    assert again.steps_told == [1]
    home = Folders(tmp_path / "other", builtin=folders.builtin)
    home.create()
    whole = node.run(Watching(home))
    assert whole.result.loss == first.result.loss
    one, other = (open_checkpoint(f.resolve("loras", "cats.safetensors")) for f in (folders, home))
    assert one.metadata == other.metadata
    assert all(tensor.equal(other.tensors[name]) for name, tensor in one.tensors.items())


@pytest.mark.usefixtures("pictures")
def test_a_training_is_a_workflow_of_its_own(folders: Folders) -> None:
    """Nothing need hang on it; run again it is remembered, unless its file is gone."""
    catalog, cache = Catalog.of(safelight.library), dict[str, object]()
    wires = {"model": ["1", 0], "clip": ["1", 1], "vae": ["1", 2], "pictures": ["2", 0]}
    values = {"name": "mine", "steps": 2, "rank": 2, "targets": "attention"}
    prompt = {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "tiny.safetensors"}},
        "2": {"class_type": "LoadPictureSet", "inputs": {"folder": "cats", "size": 32}},
        "3": {"class_type": "TrainLora", "inputs": wires | values},
    }
    graph = parse(prompt, describe(catalog), folders)

    def steps_taken() -> int:
        events: list[Event] = []
        surroundings = Surroundings(folders, looking=lambda: False)
        execute(graph, catalog, surroundings, cache=cache, observe=events.append)
        return sum(isinstance(event, Progress) for event in events)

    path = folders.directory("loras") / "mine.safetensors"
    assert steps_taken() == 2
    assert path.is_file()
    path.unlink()
    assert steps_taken() == 0  # the training itself is remembered on the disk
    assert path.is_file()


@pytest.mark.usefixtures("pictures")
def test_other_inputs_are_another_training(folders: Folders) -> None:
    """Another rate begins anew and has a file of its own; more steps go on; the same is done."""
    ctx = Watching(folders)
    node = teacher(folders, rank=2, name="cats")
    for one in (node, node, replace(node, learning_rate=0.1), replace(node, steps=6)):
        one.run(ctx)
    assert ctx.steps_told == [4, 0, 4, 2]
    names = [f"cats{number}.safetensors" for number in ("", "-2", "-3")]
    assert sorted(folders.names("loras")) == sorted(names)


@pytest.mark.usefixtures("pictures")
def test_a_word_is_kept_and_heard(folders: Folders) -> None:
    """Prompts that mention it say something else than those that mention another."""
    node = teacher(folders, TrainWord, rows=2, begin_with="cat", learning_rate=0.5, name="mine")
    ctx = Watching(folders)
    result = node.run(ctx)
    assert result.result.word == "embedding:mine"
    assert open_checkpoint(folders.resolve("embeddings", "mine.safetensors")).shapes == {
        "emb_params": (2, 32)
    }
    said = [
        CLIPTextEncode(clip=result.result.clip, text=text).run(ctx).whole.tokens
        for text in ("a embedding:mine", "a cat")
    ]
    assert not said[0].equal(said[1])
    assert len(ctx.seen) == 4


@pytest.mark.usefixtures("pictures")
def test_a_control_network_is_kept_and_steers(folders: Folders) -> None:
    """Opened from its file it is the one on the wire, and it changes what is drawn."""
    node = teacher(folders, TrainControlNet, learning_rate=0.05, name="edges")
    ctx = Watching(folders)
    (control, _), parts = node.run(ctx).result, opened(folders)
    assert control.family == "Stable Diffusion 1"
    loaded = ControlNetLoader(control_net_name="edges.safetensors").run(ctx)
    networks = [one.source.on(parts.model.network) for one in (control, loaded)]
    same = zip(*(network.parameters() for network in networks), strict=True)
    assert all(one.equal(other) for one, other in same)
    said = CLIPTextEncode(clip=parts.clip, text="a cat").run(ctx)
    hint = Image(torch.rand(1, 32, 32, 3))

    def drawn(positive: Any, negative: Any) -> torch.Tensor:
        latent = Latent(torch.zeros(1, 4, 4, 4))
        walk = KSampler(
            model=parts.model,
            steps=2,
            cfg=1.0,
            sampler_name="euler",
            scheduler="normal",
            positive=positive,
            negative=negative,
            latent_image=latent,
        )
        return walk.run(ctx).samples

    steered = ControlNetApplyAdvanced(
        positive=said, negative=said, control_net=control, image=hint
    ).run(ctx)
    assert not drawn(*steered).equal(drawn(said, said))


@pytest.mark.usefixtures("pictures")
def test_the_reference_s_nodes_work_together(folders: Folders) -> None:
    """Pictures and prompts of a folder, encoded, learnt, kept, applied, and the loss drawn."""
    ctx, parts = Watching(folders), opened(folders)
    loaded = LoadImageTextSetFromFolderNode(
        folder="cats", clip=parts.clip, resize_method="Stretch", width=32, height=32
    ).run(ctx)
    assert loaded.conditioning.whole.tokens.shape == (2, 77, 32)
    latents = VAEEncode(pixels=loaded.image, vae=parts.vae).run(ctx)
    trained = TrainLoraNode(
        model=parts.model,
        latents=latents,
        positive=loaded.conditioning,
        steps=3,
        rank=2,
        training_dtype="fp32",
    ).run(ctx)
    applied = LoraModelLoader(model=parts.model, lora=trained.lora).run(ctx).result
    for own, other in ((trained.model_with_lora, applied), (parts.model, applied)):
        weights = [one.network.get_parameter(MIDDLE) for one in (own, other)]
        assert weights[0].equal(weights[1]) == (own is trained.model_with_lora)
    shown = SaveLoRANode(lora=trained.lora, steps=trained.steps).run(ctx).ui["files"]
    assert shown[0]["filename"] == "safelight_3_steps_00001_.safetensors"
    assert len(LossGraphNode(loss=trained.loss).run(ctx).ui["images"]) == 1


@pytest.mark.usefixtures("pictures")
def test_parts_of_other_families_are_refused(folders: Folders) -> None:
    """With the names of both, before anything is learnt."""
    parts, ctx = opened(folders), Watching(folders)
    form = replace(parts.vae.format, name="Flux", channels=16)
    with pytest.raises(FormatMismatch, match=r"this latent is of Flux, but the model is of Stable"):
        teacher(folders, vae=replace(parts.vae, format=form)).run(ctx)
    said = CLIPTextEncode(clip=parts.clip, text="a cat").run(ctx)
    wide = replace(said, whole=replace(said.whole, tokens=torch.zeros(1, 77, 48)))
    latents = Latent(torch.zeros(1, 4, 4, 4))
    node = TrainLoraNode(model=parts.model, latents=latents, positive=wide)
    with pytest.raises(CannotLearn, match=r"gives vectors of 48 numbers, and a model of Stable"):
        node.run(ctx)
    assert ctx.steps_told == []
