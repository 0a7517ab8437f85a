r"""Training a new word: the held-out figure, from eight pictures of it.

The snail was never shown to the embedded model.  Its encoder c gets N new rows s in its
word table, and they alone learn, by the loss the denoiser itself was trained with:

    loss = | v - v'(x_t, t, c("a red s_1 .. s_N in the snow")) |^2

Captions name all that is not the figure (its colour, the place), so that the rows need not
say it; they start from the mean of known animals, a guess that is at least drawn well.

How well it went is measured where the word was not learnt, in other places and colours: the
share of pictures in which the figure is recognised (`likeness`).

Source: Gal et al. 2022 (arXiv:2208.01618), section 4; see `diffusion.textual_inversion`.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from safelight import __version__
from safelight.diffusion.families import load_checkpoint
from safelight.diffusion.latent import SD1
from safelight.diffusion.textual_inversion import SINGLE, with_words
from safelight.diffusion.tokenizer import FileTokenizer
from safelight.diffusion.tokens import numbered, tokenize_prompt
from safelight.diffusion.weights import save_checkpoint
from safelight.training.denoiser import velocity_error
from safelight.training.likeness import drawings, likeness
from safelight.training.loop import Pace, load
from safelight.training.prompts import Model, draw_prompts
from safelight.training.sheet import save_sheet
from safelight.training.tokenizer import Words
from safelight.training.world import CAST, HELD_OUT_SUBJECT, Actor, Scene, caption

EMBEDDED = Path(__file__).parents[1] / "pretrained" / "safelight-first-light.safetensors"
NAME = f"safelight-{HELD_OUT_SUBJECT}"
ROWS = 8
PACE = Pace(batch=16, muon=0.0, adamw=0.02, flat=0.4, average=0.95, report_every_s=1e9)
RELATED = ("cat", "dog", "rabbit", "bear", "bird", "owl", "fish")
UNEQUAL = 0.1  # how far the first rows are from each other, in deviations of the table
CAPTIONS = 12  # ways to tell of each picture
SEED = 3  # of the pictures that measure
SIZE_PX = 128

# Where and in which colour the figure is learnt, and where it is asked for afterwards.
LEARNT = (
    ("brown", "meadow"), ("orange", "plain"), ("blue", "room"), ("pink", "sunset"),
    ("yellow", "meadow"), ("purple", "plain"), ("brown", "room"), ("white", "sunset"),
)  # fmt: skip
ASKED = (
    ("red", "snow"), ("brown", "night"), ("green", "desert"), ("orange", "sea"),
    ("blue", "snow"), ("yellow", "night"), ("purple", "desert"), ("brown", "snow"),
)  # fmt: skip


def scenes(places: Sequence[tuple[str, str]], subject: str = HELD_OUT_SUBJECT) -> tuple[Scene, ...]:
    """One large figure in each colour and setting."""
    return tuple(Scene((Actor(subject, colour),), place, True) for colour, place in places)


def prompts(of: Sequence[Scene], word: str, seed: int = 0) -> list[str]:
    """Tell of scenes, with `word` for the held-out figure."""
    return [said(scene, Random(f"{seed} {index}"), word) for index, scene in enumerate(of)]


def said(scene: Scene, rng: Random, word: str) -> str:
    """One caption of a scene, with `word` for the held-out figure."""
    return caption(scene, rng).replace(HELD_OUT_SUBJECT, word)


class TaughtWords(Words):
    """A tokenizer that also knows learnt words, by how many rows each has."""

    def __init__(self, document: str, taught: Mapping[str, int], length: int) -> None:
        super().__init__(document, length)
        self.taught = taught
        self.plain = FileTokenizer.of_json(document, "the checkpoint's metadata")

    def ids(self, texts: Sequence[str]) -> Int[Tensor, "B L"]:
        """Return one chunk for each text, `embedding:name` as ids behind the vocabulary."""
        firsts = [tokenize_prompt(self.plain, text, self.taught)[0] for text in texts]
        return numbered(firsts, self.taught, self.size)


def embedded_model(path: Path = EMBEDDED) -> Model:
    """Open a checkpoint that carries its own words, to learn or draw with."""
    bundle = load_checkpoint(path)
    words = Words(bundle.checkpoint.metadata["safelight.tokenizer"])
    return Model(bundle.unet.float(), bundle.text_encoder.float(), bundle.vae.float(), words)


def taught_model(model: Model, name: str, rows: nn.Embedding) -> Model:
    """Return a model that knows one more word; all else is shared."""
    words = TaughtWords(model.words.document, {name: rows.num_embeddings}, model.words.length)
    return Model(model.unet, with_words(model.text, rows), model.autoencoder, words)


@dataclass(frozen=True)
class Lesson:
    """What a word is learnt from: pictures in -1..1, and several captions for each."""

    name: str
    pictures: Float[Tensor, "N 3 H W"]
    captions: Sequence[Sequence[str]]

    @classmethod
    def of_the_snail(cls) -> "Lesson":
        """The eight pictures of the held-out figure."""
        learnt, word = scenes(LEARNT), f"embedding:{NAME}"
        captions = [
            [said(scene, Random(f"{index} {way}"), word) for way in range(CAPTIONS)]
            for index, scene in enumerate(learnt)
        ]
        return cls(NAME, drawings(learnt, SIZE_PX), captions)


def no_examination(model: Model, folder: Path) -> dict[str, float]:
    """Measure nothing."""
    return {}


class InversionStage:
    """The rows of one new word learn to ask for what the pictures show."""

    name = "inversion"

    def __init__(
        self,
        model: Model,
        lesson: Lesson,
        rows: int = ROWS,
        examine: Callable[[Model, Path], dict[str, float]] = no_examination,
    ) -> None:
        """Learn from `lesson`; `examine` measures a model that knows the word."""
        self.examine = examine
        for network in (model.unet, model.text, model.autoencoder):
            network.eval().requires_grad_(False)
        self.network = nn.Embedding(rows, model.text.config.width)
        with torch.no_grad():
            self.network.weight.copy_(_first_rows(model, rows))
        self.taught = taught_model(model, lesson.name, self.network)
        self.ids = [self.taught.words.ids(told) for told in lesson.captions]
        with torch.no_grad():
            self.latents = model.autoencoder.encode(lesson.pictures).mean * SD1.scale

    def loss(self, count: int, draw: torch.Generator, spent: float) -> Tensor:
        """Tell the velocity of `count` noisy latents, each picture as often as any other."""
        order = torch.randperm(count, generator=draw)  # levels rise along a batch
        chosen = (order % len(self.ids)).tolist()
        ways = torch.rand(count, generator=draw).tolist()
        told = [
            self.ids[i][int(way * len(self.ids[i]))] for i, way in zip(chosen, ways, strict=True)
        ]
        context = self.taught.text(torch.stack(told))
        return velocity_error(self.taught.unet, self.latents[chosen], context, draw)

    def report(self, folder: Path) -> dict[str, float]:
        """Measure as the caller wishes."""
        return self.examine(self.taught, folder)


def examine_snail(model: Model, folder: Path) -> dict[str, float]:
    """Draw the figure where it was not learnt; count where it is recognised, and save a sheet."""
    asked = scenes(ASKED)
    told = prompts(asked, f"embedding:{NAME}")
    drawn = draw_prompts(model, told, SEED)
    shown = drawings(scenes(LEARNT), SIZE_PX)
    save_sheet(folder / "sheet.png", torch.cat([shown, drawn]), columns=len(shown))
    return figures(likeness(drawn, asked))


def figures(distances: Float[Tensor, "B S"]) -> dict[str, float]:
    """Return the share of pictures nearest to the held-out figure, and how much nearer they are.

    The margin is 1 where they are that figure's drawing, and below 0 where another is nearer.
    """
    own = list(CAST).index(HELD_OUT_SUBJECT)
    others = distances.clone()
    others[:, own] = float("inf")
    margins = 1 - distances[:, own] / others.min(dim=1).values
    return {"recognised": float((margins > 0).float().mean()), "margin": float(margins.mean())}


def export_inversion(state: Path, path: Path, base: Path = EMBEDDED) -> None:
    """Write the rows that a run left in `state` as other programs read them."""
    kept = load(state)
    rows: Tensor = kept["average"]["weight"]
    recipe = {
        "steps": kept["step"],
        "samples": kept["samples"],
        "minutes": round(kept["seconds"] / 60, 1),
        **{name: round(value, 4) for name, value in kept["figures"].items()},
    }
    metadata = {
        "safelight.name": NAME,
        "safelight.base": f"{base.name} {hashlib.sha256(base.read_bytes()).hexdigest()[:16]}",
        "safelight.recipe": json.dumps(recipe),
        "safelight.version": __version__,
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": "stable-diffusion-v1/textual-inversion",
        "modelspec.implementation": "safelight",
        "modelspec.title": "Safelight snail",
        "modelspec.license": "Apache-2.0",
        "modelspec.trigger_phrase": f"embedding:{NAME}",
    }
    save_checkpoint(path, {SINGLE: rows.half()}, metadata)


def _first_rows(model: Model, rows: int) -> Float[Tensor, "N D"]:
    """The mean of related words, each row a little different."""
    table = model.text.token.weight.float()
    known = [model.words.tokenizer.token_to_id(word) for word in RELATED]
    found = [token for token in known if token is not None]
    mean = table[found].mean(dim=0) if found else table.mean(dim=0)
    draw = torch.Generator().manual_seed(0)
    return mean + UNEQUAL * table.std() * torch.randn(rows, len(mean), generator=draw)
