"""Nodes that apply LoRAs: small files that teach a model a style or a thing."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated, ClassVar, NamedTuple

from safelight.diffusion.lora import merged
from safelight.diffusion.lora_file import LoraFile, open_lora
from safelight.diffusion.lora_names import TEXT, Fitting, fit, network_places, text_places
from safelight.diffusion.texts import Texts
from safelight.diffusion.weights import CheckpointError
from safelight.graph.node import Context, Folder, Help, Label, Node, Output, Range, Shown, Text
from safelight.graph.returns import Showing
from safelight.library.values import Clip, Model

LoraName = Annotated[str, Folder("loras"), Label("LoRA"), Help("The file.")]
Strength = Annotated[
    float,
    Range(-100.0, 100.0, step=0.01),
    Help("1 as it was trained; 0 changes nothing, less than 0 does the opposite."),
]
Share = Callable[[str], float]


Taught = Annotated[Model, Output("MODEL")]


class Pair(NamedTuple):
    """A model and its text encoders, taught together."""

    model: Annotated[Model, Output("MODEL", "The model with the LoRA.")]
    clip: Annotated[Clip, Output("CLIP", "The text encoders with the LoRA.")]


class LoraLoader(Node):
    """Teach a model and its text encoder something: a style, a figure, a look.

    A LoRA moves some weights of the model it was trained for. The model that comes in is left
    alone, so other branches may use it plainly or with other LoRAs; several in a row add up.
    Files of kohya, LyCORIS, PEFT and diffusers are read. What in a file means no part of the
    model is reported by name.
    """

    category: ClassVar[str] = "loaders"
    title: ClassVar[str] = "Load LoRA"
    model: Model
    clip: Annotated[Clip, Label("Text encoder")]
    lora_name: LoraName
    strength_model: Strength = 1.0
    strength_clip: Strength = 1.0

    def run(self, ctx: Context) -> Showing[Pair]:
        """Move the weights; show what was not used."""
        if not self.strength_model and not self.strength_clip:
            return Showing(Pair(self.model, self.clip), Shown({}))
        file = open_lora(ctx.folders.resolve("loras", self.lora_name))
        taught = fitted(file, self.model)
        towers = fitted_texts(file, self.clip.texts)
        left = strays(file, [taught, *towers.values()], self.model.family)
        networks = {
            name: merged(self.clip.texts.towers[name].network, fitting.edits, self.strength_clip)
            for name, fitting in towers.items()
        }
        clip = Clip(self.clip.texts.around(networks)) if self.strength_clip else self.clip
        pair = Pair(applied(self.model, taught, self.strength_model), clip)
        return Showing(pair, notes(left, self.model.family))


class LoraLoaderModelOnly(Node):
    """Teach a model something, and leave its text encoder as it is."""

    category: ClassVar[str] = "loaders"
    title: ClassVar[str] = "Load LoRA for the model"
    model: Model
    lora_name: LoraName
    strength_model: Strength = 1.0

    def run(self, ctx: Context) -> Showing[Taught]:
        """Move the weights; show what was not used."""
        if not self.strength_model:
            return Showing(self.model, Shown({}))
        return taught_alone(ctx, self.model, self.lora_name, self.strength_model, lambda name: 1.0)


class LoraBlockWeights(Node):
    """Teach a model something, each part of it as strongly as you say.

    The lines say how strongly: `down.1 0.5` halves everything in level 1 of the way down,
    `middle 0` leaves the bottom alone, `.to_prompt 1.5` strengthens what listens to the
    prompt. The part is any piece of a weight's name; the last line that fits a weight counts,
    and a weight that no line fits gets the whole strength. The deep levels carry what is
    shown, the shallow ones how it is drawn.
    """

    category: ClassVar[str] = "loaders"
    title: ClassVar[str] = "Load LoRA by blocks"
    model: Model
    lora_name: LoraName
    strength_model: Strength = 1.0
    shares: Annotated[
        str, Text(multiline=True), Help("Lines of a part of the network and its share.")
    ] = "down 1\nmiddle 1\nup 1"

    def run(self, ctx: Context) -> Showing[Taught]:
        """Move the weights, each by its share; show what was not used."""
        share = shares(self.shares)
        return taught_alone(ctx, self.model, self.lora_name, self.strength_model, share)


def shares(lines: str) -> Share:
    """Read lines of a part of a name and a number.

    Raises:
        ValueError: a line is something else.
    """
    table: list[tuple[str, float]] = []
    for line in filter(str.strip, lines.splitlines()):
        part, _, number = line.strip().rpartition(" ")
        try:
            table.append((part.strip(), float(number)))
        except ValueError:
            raise ValueError(
                f"want a part and a number, as in 'down.1 0.5', got {line!r}"
            ) from None

    def share(name: str) -> float:
        fitting = [value for part, value in table if part in name]
        return fitting[-1] if fitting else 1.0

    return share


def taught_alone(
    ctx: Context, model: Model, name: str, strength: float, share: Share
) -> Showing[Model]:
    """Apply the changes of a file that mean the model, and show those that mean nothing."""
    file = open_lora(ctx.folders.resolve("loras", name))
    taught = fitted(file, model)
    left = strays(file, [taught], model.family, heard=TEXT)
    return Showing(applied(model, taught, strength, share), notes(left, model.family))


def fitted(file: LoraFile, model: Model) -> Fitting:
    """Find what a file changes in a model."""
    return fit(file, model.network, network_places(model.network), model.family)


def fitted_texts(file: LoraFile, texts: Texts) -> dict[str, Fitting]:
    """Find what a file changes in each text encoder."""
    alone = len(texts.towers) == 1
    return {
        name: fit(
            file,
            tower.network,
            text_places(name, tower.network, alone=alone),
            f"the text encoder {name!r}",
        )
        for name, tower in texts.towers.items()
    }


def applied(
    model: Model, taught: Fitting, strength: float, share: Share = lambda name: 1.0
) -> Model:
    """Return the model around a network with moved weights."""
    network = merged(model.network, taught.edits, strength, share)
    if network is model.network:
        return model
    return replace(model, network=network, denoiser=replace(model.denoiser, network=network))


def strays(
    file: LoraFile, taught: Sequence[Fitting], family: str, heard: tuple[str, ...] = ()
) -> list[str]:
    """Return which changes and tensors of a file nobody takes.

    Names that begin as in `heard` need no word.

    Raises:
        CheckpointError: nobody takes any.
    """
    names = [f"{module}.{leaf}" for module, changes in file.changes.items() for leaf in changes]
    used = frozenset[str]().union(*(fitting.used for fitting in taught))
    if not used:
        raise CheckpointError(file.path, foreign(file, names, family))
    left = [name for name in names if name not in used and not name.startswith(heard or "\0")]
    return left + list(file.unread)


def notes(left: Sequence[str], family: str) -> Shown:
    """Tell the user what was not used, if anything was not."""
    if not left:
        return Shown({})
    return Shown({"notes": [{"text": f"not used, for {family} has no such parts: {listed(left)}"}]})


def foreign(file: LoraFile, names: list[str], family: str) -> str:
    """Say that a LoRA is for another kind of model, and for which, if it tells."""
    told = (file.metadata.get(key) for key in ("modelspec.architecture", "ss_base_model_version"))
    other = next((text for text in told if text), None)
    made = f" (it says that it is for {other})" if other else ""
    none = f"none of its {len(names)} changes means a part of it"
    return f"this LoRA is not for {family}{made}: {none} ({listed(names, 3)})"


def listed(names: Sequence[str], most: int = 20) -> str:
    """Return the first names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
