from typing import Any

import pytest
from tests.graph.darkroom import SCHEMA
from tests.graph.drawing import EXPOSED, EXPOSURE, box, drawing, guesses, inputs, opened, socket

from safelight.graph.convert import to_document
from safelight.graph.records import InputSpec, NodeSpec
from safelight.graph.schema import Schema


def exposed(values: Any, *, steps_wired: bool = False, **more: Any) -> dict[str, Any]:
    """A file with one Expose."""
    sockets = [socket("paper")]
    sockets += [socket("steps", "INT", None, widget=True)] if steps_wired else []
    return drawing(box(2, "Expose", values, sockets, **more))


def test_values_stand_in_the_order_of_the_class() -> None:
    """A seed brings its control along; a wired value still has its place."""
    assert inputs(exposed(EXPOSED), "2") == EXPOSURE
    assert inputs(exposed(EXPOSED, steps_wired=True), "2") == EXPOSURE
    assert guesses(exposed(EXPOSED)) == ()


@pytest.mark.parametrize(
    ("control", "kept", "told"),
    [
        ("fixed", "fixed", False),
        ("randomize", "randomize", False),
        (True, "randomize", False),
        (False, "fixed", False),
        ("increment", "fixed", True),
        ("decrement", "fixed", True),
    ],
)
def test_what_becomes_of_the_seed_is_kept(control: object, kept: str, told: bool) -> None:
    """Very old files write true and false; counting up or down is not done here."""
    result = opened(exposed([7, control, *EXPOSED[2:]]))
    assert result.document["nodes"]["2"]["_meta"]["seed_control"] == kept
    message = f"node 2 (Expose): its seed is set to {control!r}; here it is kept fixed"
    assert result.guesses == ((message,) if told else ())


def test_values_without_a_control_are_recognised() -> None:
    """Written by programs that do not know of it; that it was guessed is told."""
    ui = exposed([EXPOSED[0], *EXPOSED[2:]])
    assert inputs(ui, "2") == EXPOSURE
    assert guesses(ui) == (
        "node 2 (Expose): its values were saved in an older order, guessed from their kinds",
    )


def test_a_value_that_only_a_wire_can_give_has_no_place() -> None:
    """Its socket is saved as one that belongs to no widget."""
    sockets = [socket("paper"), socket("strength", "FLOAT")]
    ui = drawing(box(2, "Expose", EXPOSED[:3] + EXPOSED[4:], sockets))
    assert inputs(ui, "2") == EXPOSURE


def test_files_from_before_that_gave_it_a_place_anyway() -> None:
    """Then the kinds of the values tell."""
    sockets = [socket("paper"), socket("strength", "FLOAT")]
    assert inputs(drawing(box(2, "Expose", EXPOSED, sockets)), "2") == EXPOSURE


def test_missing_values_become_their_defaults() -> None:
    """Each is told; without a default a text is empty, a choice the first."""
    ui = exposed([7, "fixed", 21])
    assert inputs(ui, "2") == {**EXPOSURE, "steps": 21, "text": ""}
    assert guesses(ui) == (
        "node 2 (Expose): no value was saved for strength; it is now 8.0",
        "node 2 (Expose): no value was saved for method; it is now 'euler'",
        "node 2 (Expose): no value was saved for order; it is now 'down'",
        "node 2 (Expose): no value was saved for text; it is now ''",
        "node 2 (Expose): no value was saved for twice; it is now false",
    )


def test_a_file_nobody_can_guess_is_asked_for() -> None:
    """The choices are the files of a folder."""
    assert guesses(drawing(box(1, "OpenNegative"))) == (
        "node 1 (OpenNegative): no value was saved for image; choose one",
    )


def test_values_too_many_are_left_out() -> None:
    """Holes at the end are none."""
    assert guesses(exposed([*EXPOSED, None, None])) == ()
    assert guesses(exposed([*EXPOSED, "x"])) == (
        "node 2 (Expose): it was saved with 1 value more than its class has, which were left out",
    )


@pytest.mark.parametrize("values", [["a.png", "image"], ["a.png", None], ["a.png"]])
def test_the_button_for_uploads_is_no_value(values: list[object]) -> None:
    """It stands at the very end."""
    ui = drawing(box(1, "OpenNegative", values))
    assert inputs(ui, "1") == {"image": "a.png"}
    assert guesses(ui) == ()


def test_values_by_name_need_no_order() -> None:
    """Some packs save an object; newer files save one beside the list, which goes before it."""
    by_name = {**EXPOSURE, "control_after_generate": "randomize", "strange": 1}
    assert inputs(exposed(by_name), "2") == EXPOSURE
    ui = exposed([1, 2, 3], widgets_values_named=by_name)
    assert inputs(ui, "2") == EXPOSURE
    assert opened(ui).document["nodes"]["2"]["_meta"]["seed_control"] == "randomize"


def test_values_by_name_need_no_class() -> None:
    """They are named already."""
    ui = drawing(box(1, "VideoOfSomePack", {"rate": 8, "videopreview": {}}))
    assert inputs(ui, "1") == {"rate": 8}
    assert guesses(ui) == ()


def test_classes_that_were_renamed_are_found() -> None:
    """Under the name they have now."""
    old = drawing(box(1, "ConditioningAverage ", [0.5]))
    assert opened(old).document["nodes"]["1"]["class_type"] == "ConditioningAverage"


def schema_of(*entries: InputSpec) -> Schema:
    """A schema of one class, Draw, with these inputs."""
    about = {"name": "Draw", "title": "", "category": "", "help": "", "module": ""}
    spec = NodeSpec(**about, version=1, effect=False, inputs=entries, outputs=(), hidden=())
    return Schema({"Draw": spec}, {})


def drawn(values: list[object], *entries: InputSpec) -> Any:
    """The inputs of a Draw that was saved with these values."""
    ui = drawing(box(1, "Draw", values))
    return to_document(ui, schema_of(*entries)).document["nodes"]["1"]["inputs"]


def test_a_choice_that_changes_after_each_run_brings_two_along() -> None:
    """The way it changes, and a filter."""
    style = InputSpec(name="style", title="", type="COMBO", choices=("a", "b"), seed=True)
    size = InputSpec(name="size", title="", type="INT")
    assert drawn(["b", "increment-wrap", "", 5], style, size) == {"style": "b", "size": 5}


def test_a_number_called_seed_has_a_control() -> None:
    """Also when its class does not say so."""
    seed = InputSpec(name="noise_seed", title="", type="INT")
    size = InputSpec(name="size", title="", type="INT")
    assert drawn([3, "fixed", 5], seed, size) == {"noise_seed": 3, "size": 5}


def test_an_old_prefix_of_samplers_is_cut() -> None:
    """They were called sample_euler once."""
    sampler = InputSpec(name="sampler_name", title="", type="COMBO", choices=("euler",))
    assert drawn(["sample_euler"], sampler) == {"sampler_name": "euler"}


def test_the_darkroom_knows_what_it_exposes() -> None:
    """The values of these tests are those of the class, in its order."""
    names = [entry.name for entry in SCHEMA.nodes["Expose"].inputs if not entry.socket]
    assert names == list(EXPOSURE)
