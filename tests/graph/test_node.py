import dataclasses
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

import pytest
from tests.graph.darkroom import Cut, Expose, Look, OpenNegative, Paper, TakePaper

from safelight.graph.annotations import read
from safelight.graph.hints import spaced
from safelight.graph.node import (
    Choice,
    Context,
    Folder,
    Label,
    Node,
    NodeDefinitionError,
    NullContext,
    Output,
    Range,
    Seed,
    Shown,
    Text,
    Wire,
)


def test_a_node_is_built_with_plain_values_and_run() -> None:
    """A node needs no graph: construct it and call run."""
    assert TakePaper(grey=5).run(NullContext()) == Paper(5)


def test_a_node_does_not_change() -> None:
    """Inputs are frozen."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        TakePaper(grey=5).grey = 6  # type: ignore[misc]  # what the test is about


def test_inputs_are_given_by_name() -> None:
    """Positions mean nothing, so that inputs can be added anywhere."""
    with pytest.raises(TypeError, match="positional"):
        TakePaper(5)  # type: ignore[call-arg]  # what the test is about


def test_a_node_equals_only_itself() -> None:
    """Values on wires need not be comparable."""
    assert TakePaper(grey=5) != TakePaper(grey=5)


def test_help_is_asked_for_before_dataclass_invents_one() -> None:
    """A class without docstring is refused at its creation."""
    with pytest.raises(NodeDefinitionError) as refused:
        type("Nameless", (Node,), {"__annotations__": {"grey": int}})
    assert str(refused.value) == "Nameless: a node needs a docstring, which is its help"


def test_a_subclass_needs_its_own_help() -> None:
    """The help of a base class would describe something else."""
    with pytest.raises(NodeDefinitionError, match=r"^Wetter: a node needs a docstring"):
        type("Wetter", (TakePaper,), {})


def test_an_input_cannot_take_a_word_of_node() -> None:
    """`title: str` without ClassVar would silently become an input."""
    body = {"__doc__": "Has a bad input.", "__annotations__": {"title": str}, "title": "x"}
    with pytest.raises(NodeDefinitionError) as refused:
        type("Clash", (Node,), body)
    assert str(refused.value) == (
        "Clash: an input cannot be called title; that is a word of Node itself "
        "(is ClassVar missing?)"
    )


def test_inputs_keep_the_order_of_their_declaration() -> None:
    """Required ones may follow those with a default."""
    names = [entry.name for entry in read(Expose).spec.inputs]
    assert names == [
        "paper", "seed", "steps", "strength", "method", "order", "text", "twice", "mask"
    ]  # fmt: skip


def test_a_record_says_all_that_the_annotation_says() -> None:
    """Type, bounds, help and default of each input."""
    inputs = read(Expose).spec.by_name
    assert (inputs["seed"].type, inputs["seed"].max, inputs["seed"].seed) == (
        "INT",
        2**64 - 1,
        True,
    )
    assert (inputs["steps"].default, inputs["steps"].help) == (20, "How many flashes.")
    assert (inputs["strength"].step, inputs["strength"].round) == (0.1, 0.01)
    assert inputs["order"].choices == ("up", "down")
    assert inputs["order"].default == "down"
    assert inputs["text"].multiline
    assert inputs["twice"].type == "BOOLEAN"
    assert (inputs["mask"].type, inputs["mask"].required) == ("MASK", False)


def test_only_a_default_in_the_class_lets_a_workflow_leave_an_input_out() -> None:
    """The first choice and the empty text are for the canvas only."""
    inputs = read(Expose).spec.by_name
    assert (inputs["method"].default, inputs["method"].omissible) == ("euler", False)
    assert (inputs["text"].default, inputs["text"].omissible) == ("", False)
    assert inputs["seed"].omissible
    assert inputs["mask"].omissible


def test_a_number_without_default_starts_at_the_least_allowed() -> None:
    """The canvas never starts with a mistake."""

    class Size(Node):
        """Has a size."""

        width: Annotated[int, Range(16, 64)]

        def run(self, ctx: Context) -> Shown:
            return Shown({})

    assert read(Size).spec.by_name["width"].default == 16


def test_several_outputs_are_the_fields_of_what_run_returns() -> None:
    """Names come from Output, or from the field in capitals."""
    reading = read(Cut)
    assert [(entry.name, entry.type) for entry in reading.spec.outputs] == [
        ("LEFT", "PAPER"),
        ("GREY", "INT"),
    ]
    assert reading.slots == ("left", "right")


def test_a_dataclass_with_a_wire_is_one_output() -> None:
    """Paper is a dataclass, but travels as a whole."""
    assert [entry.type for entry in read(TakePaper).spec.outputs] == ["PAPER"]


def test_object_takes_anything() -> None:
    """Its wire is called *, as clients know it."""
    assert read(Look).spec.by_name["thing"].type == "*"


def test_a_wire_without_a_name_is_called_like_its_class() -> None:
    """CamelCase becomes CAMEL_CASE."""

    class NoiseSource:
        pass

    class Draw(Node):
        """Draw noise."""

        source: NoiseSource
        tensor: Annotated[list[int], Wire("TENSOR")]
        amount: Annotated[int, Label("How much")] = 1

        def run(self, ctx: Context) -> Annotated[list[int], Wire("TENSOR"), Output("T")]:
            return self.tensor

    spec = read(Draw).spec
    assert [entry.type for entry in spec.inputs] == ["NOISE_SOURCE", "TENSOR", "INT"]
    assert [(entry.name, entry.type) for entry in spec.outputs] == [("T", "TENSOR")]
    assert spec.by_name["amount"].title == "How much"


@pytest.mark.parametrize(
    ("name", "words"),
    [("CLIPTextEncode", "CLIP Text Encode"), ("KSampler", "K Sampler"), ("VAEDecode", "VAE Decode"),
     ("Cut", "Cut"), ("SD3Loader", "SD3 Loader")],
)  # fmt: skip
def test_class_names_are_split_into_words(name: str, words: str) -> None:
    """Runs of capitals stay together."""
    assert spaced(name) == words


def test_all_mistakes_of_a_class_are_reported_at_once() -> None:
    """With the names of class and fields."""

    class Wrong(Node):
        """Has every mistake."""

        a: Annotated[str, Range(0, 1)]
        b: Annotated[int, Text()]
        c: Annotated[int, Range(1, 5)] = 9
        d: Literal["x", "y"] = "z"  # type: ignore[assignment]  # what the test is about
        e: Paper = Paper(1)
        f: int | None
        g: int | str
        h: Annotated[str, Choice(())]
        i: Annotated[float, Seed()]
        j: Annotated[int, Folder("input")]
        k: int = None  # type: ignore[assignment]  # what the test is about

        def run(self, ctx: Context) -> Shown:
            return Shown({})

    with pytest.raises(NodeDefinitionError) as refused:
        read(Wrong)
    assert str(refused.value) == (
        "Wrong: a: Range does not fit STRING; "
        "b: Text does not fit INT; "
        "c: 9 is above 5; "
        "d: 'z' is not one of 2 choices; "
        "e: a socket has no default, except None; "
        "f: an optional input is written `X | None = None`; "
        "g: want one type, and perhaps None besides; "
        "h: choices are texts, at least one; "
        "i: Seed does not fit FLOAT; "
        "j: Folder does not fit INT; "
        "k: an optional input is written `X | None = None`"
    )


def test_run_must_say_what_it_returns() -> None:
    """Outputs are read from the annotation."""

    class Silent(Node):
        """Returns something."""

        def run(self, ctx):  # type: ignore[no-untyped-def]  # what the test is about
            return 1

    with pytest.raises(NodeDefinitionError) as refused:
        read(Silent)
    assert str(refused.value) == (
        "Silent: run: say what it returns; a node without outputs returns Shown"
    )


def test_a_folder_input_is_a_choice_of_files() -> None:
    """Its choices are listed when asked for, not when the class is read."""
    entry = read(OpenNegative).spec.by_name["image"]
    assert (entry.type, entry.folder, entry.upload, entry.choices) == ("COMBO", "input", True, None)


def test_the_null_context_hands_on_steps_and_drops_pictures() -> None:
    """A node can be run by hand."""
    context = NullContext()
    asked: list[bool] = []

    def render() -> bytes:
        asked.append(True)
        return b""

    context.preview(render)
    assert list(context.track([1, 2], total=2)) == [1, 2]
    assert asked == []


def test_a_base_run_says_which_class_lacks_one() -> None:
    """Node.run is a placeholder for subclasses only."""

    class Lazy(Node):
        """Does nothing."""

        category: ClassVar[str] = "x"

    run: Callable[[Any], object] = Lazy().run
    with pytest.raises(NotImplementedError, match=r"Lazy\.run"):
        run(NullContext())
