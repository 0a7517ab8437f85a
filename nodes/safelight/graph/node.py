"""How a node is written: one frozen dataclass whose fields are its inputs.

A node class is the only description of a node.  The schema, the checks, the
canvas's widgets, the help page and the command line are derived from it:

    class Blur(Node):
        \"\"\"Soften an image.\"\"\"

        category: ClassVar[str] = "image"
        image: Image
        radius: Annotated[int, Range(1, 64), Help("In pixels.")] = 3

        def run(self, ctx: Context) -> Annotated[Image, Output("IMAGE")]: ...

Plain types (`int float str bool Literal`) are widgets; any other class is a
socket, and the class itself says which wires fit (`issubclass`).  The name of
that kind of wire is the class's `wire` attribute.  `object` takes anything.
Two outputs or more: return a NamedTuple or frozen dataclass of them.

An output of type `Sequence[X]` is a list of values.  A node that takes an `X`
is then called once for each of them; one that takes a `Sequence[X]` is called
once with all.  What else `run` may return is in `returns`; it may be `async`.
"""

import dataclasses
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, TypeVar, dataclass_transform

from safelight.graph.folders import Folders

T = TypeVar("T")


class NodeDefinitionError(TypeError):
    """A node class is written wrongly; the message names the class and every mistake."""


@dataclass(frozen=True, slots=True)
class Range:
    """The least and greatest allowed number, both included.

    `step` is the canvas's increment, `round` the precision it shows; neither
    is enforced, as in ComfyUI.
    """

    low: float | None = None
    high: float | None = None
    step: float | None = None
    round: float | None = None


@dataclass(frozen=True, slots=True)
class Seed:
    """The whole number is a seed: the canvas offers to draw a new one for each run."""


@dataclass(frozen=True, slots=True)
class Help:
    """What the input means, in plain words."""

    text: str


@dataclass(frozen=True, slots=True)
class Label:
    """What the canvas calls the input, where its name alone would not do."""

    text: str


@dataclass(frozen=True, slots=True)
class KnownAs:
    """The name of the input in workflows, where the field cannot bear it.

    Say it has a dot, or is a word of Node.  `stamp` and `needs` are told and tell such names.
    """

    name: str


@dataclass(frozen=True, slots=True)
class Each:
    """The field, a `Mapping[str, X]`, gathers inputs of these names, each with that default."""

    names: Sequence[str]
    default: float | str | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """The text is one of these; the first is the canvas's default."""

    names: Sequence[str]


@dataclass(frozen=True, slots=True)
class Text:
    """The text may have several lines."""

    multiline: bool = False


@dataclass(frozen=True, slots=True)
class Folder:
    """The text names a file in that folder of the home; `upload` offers to add one."""

    kind: str
    upload: bool = False


@dataclass(frozen=True, slots=True)
class Wire:
    """The name of the wire, for a type that cannot carry a `wire` attribute."""

    name: str


@dataclass(frozen=True, slots=True)
class Lazy:
    """What the wire brings is made only if `needs` asks for it; till then the input is None."""


@dataclass(frozen=True, slots=True)
class Carries:
    """The input is the wire itself, a `Link`, to values of that class; nothing is made for it."""

    kind: type


@dataclass(frozen=True, slots=True)
class Hidden:
    """The input is no socket and no widget: the executor gives it.

    Kinds: "PROMPT", the graph as API prompt; "DYNPROMPT", the `Graph`;
    "EXTRA_PNGINFO", what saved pictures carry besides; "UNIQUE_ID", the node's id.
    """

    kind: Literal["PROMPT", "DYNPROMPT", "EXTRA_PNGINFO", "UNIQUE_ID"]


@dataclass(frozen=True, slots=True)
class Output:
    """The name of an output as other programs know it, and what it holds."""

    name: str
    help: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """What an effect node tells the user: lists of records by kind.

    A picture is `Shown({"images": [{"filename": "a_00001_.png", "subfolder":
    "", "type": "output"}]})`.
    """

    ui: Mapping[str, list[Mapping[str, object]]]


class Context(Protocol):
    """What a node may ask of whoever runs it. It has little else, ever."""

    @property
    def folders(self) -> Folders:
        """Where the user's files lie."""
        ...

    @property
    def metadata(self) -> Mapping[str, object]:
        """What a saved picture carries: "prompt", and usually "workflow"."""
        ...

    @property
    def device(self) -> str:
        """Where to compute: "cpu" or "cuda"."""
        ...

    @property
    def precision(self) -> str:
        """What to compute in: "float32", "bfloat16" or "float16"."""
        ...

    def track(self, steps: Iterable[T], total: int) -> Iterator[T]:
        """Hand on `steps`, reporting progress after each of `total`.

        Raises:
            Interrupted: When the run was stopped; let it pass.
        """
        ...

    def preview(self, render: Callable[[], bytes]) -> None:
        """Show an unfinished picture; `render` returns a JPEG and may never be called."""
        ...


@dataclass_transform(eq_default=False, kw_only_default=True, frozen_default=True)
class Node:
    """The base of all nodes: inputs are fields, `run` makes the outputs.

    Raises:
        NodeDefinitionError: When a subclass has no docstring, which is its
            help, or names an input like one of Node's own attributes.
    """

    category: ClassVar[str] = ""
    title: ClassVar[str] = ""
    known_as: ClassVar[str] = ""  # its name in workflows, where a class cannot bear it
    version: ClassVar[int] = 1
    effect: ClassVar[bool] = False
    beside: ClassVar[bool] = False  # runs in a thread of its own, as what writes files should
    # What dataclass() adds to each subclass; said here for type checkers.
    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    def __init_subclass__(cls) -> None:
        """Make the subclass a frozen dataclass, after asking for its help."""
        if not (cls.__dict__.get("__doc__") or "").strip():
            raise NodeDefinitionError(
                f"{cls.__name__}: a node needs a docstring, which is its help"
            )
        dataclass(frozen=True, kw_only=True, eq=False)(cls)
        taken = [entry.name for entry in dataclasses.fields(cls) if hasattr(Node, entry.name)]
        if taken:
            raise NodeDefinitionError(
                f"{cls.__name__}: an input cannot be called {', '.join(taken)}; "
                "that is a word of Node itself (is ClassVar missing?)"
            )

    def run(self, ctx: Context) -> object:
        """Compute the outputs from the inputs."""
        raise NotImplementedError(f"{type(self).__name__}.run")

    @classmethod
    def holds(cls, result: object) -> bool:
        """Whether a remembered result is still good, say its files still exist."""
        return True

    @classmethod
    def stamp(cls, inputs: Mapping[str, object], folders: Folders) -> str | None:
        """Return a text for what else the result depends on, say files that a text names.

        None means that it must always be made anew.  `inputs` are the plain
        ones; what comes by a wire is not known when this is asked.
        """
        return ""

    @classmethod
    def needs(cls, given: Mapping[str, object]) -> Collection[str]:
        """Return the `Lazy` inputs that must be made, having seen those that are.

        It is asked again, with what it asked for, until it names nothing new.
        """
        return ()


def name_of(node_class: type[Node]) -> str:
    """Return the name of a class in workflows: its own `known_as`, or that of the class."""
    own = vars(node_class).get("known_as")
    return own if isinstance(own, str) and own else node_class.__name__


@dataclass(frozen=True, slots=True)
class NullContext:
    """A context that reports to nobody: for tests and for calling a node by hand.

    Its folders lie nowhere unless given, so that a forgotten argument writes
    no file.
    """

    folders: Folders = field(default_factory=lambda: Folders(Path(os.devnull)))
    metadata: Mapping[str, object] = field(default_factory=dict)
    device: str = "cpu"
    precision: str = "float32"

    def track(self, steps: Iterable[T], total: int) -> Iterator[T]:
        """Hand on `steps`."""
        yield from steps

    def preview(self, render: Callable[[], bytes]) -> None:
        """Drop the picture."""
