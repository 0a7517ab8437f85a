"""Nodes and inputs whose names in workflows no class and no field could bear."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import pytest
from tests.graph.darkroom import NOWHERE, TakePaper, node, own

from safelight.graph.annotations import read
from safelight.graph.catalog import Catalog
from safelight.graph.convert import to_document, to_ui
from safelight.graph.executor import Surroundings, execute
from safelight.graph.node import (
    Context,
    Each,
    KnownAs,
    Node,
    NodeDefinitionError,
    Range,
    Shown,
    name_of,
)
from safelight.graph.schema import describe
from safelight.graph.settings import apply_settings
from safelight.graph.variation import Place
from safelight.graph.workflow import Invalid, parse

BATHS = ("bath.0.", "bath.1.", "stop bath")


class MixBaths(Node):
    """Pour baths together."""

    known_as: ClassVar[str] = "Mix Baths"
    edition: Annotated[int, KnownAs("version"), Range(0, 9)] = 1
    shares: Annotated[Mapping[str, float], Each(BATHS, 0.5), Range(0.0, 1.0)]

    def run(self, ctx: Context) -> float:
        return self.edition + sum(self.shares.values())


class Weigh(Node):
    """Tell a weight."""

    effect: ClassVar[bool] = True
    weight: float

    def run(self, ctx: Context) -> Shown:
        return Shown({"weights": [{"weight": self.weight}]})


CATALOG = Catalog.of(MixBaths, Weigh)
SCHEMA = describe(CATALOG)


def mixture(**inputs: object) -> dict[str, Any]:
    """A workflow that mixes (1) and weighs (2)."""
    return {"1": node("Mix Baths", **inputs), "2": node("Weigh", weight=["1", 0])}


def weighed(document: dict[str, Any]) -> object:
    """What a workflow weighs."""
    (shown,) = execute(parse(document, SCHEMA, NOWHERE), CATALOG, Surroundings(NOWHERE)).values()
    assert isinstance(shown, Shown)
    return shown.ui["weights"][0]["weight"]


def test_a_workflow_says_the_names_it_knows() -> None:
    """The class and every input are found by them, wherever they are kept."""
    given = {"version": 3, "bath.0.": 0.25, "bath.1.": 1.0, "stop bath": 0.0}
    assert weighed(mixture(**given)) == 4.25


def test_what_is_left_out_has_its_default() -> None:
    """Also what a field gathers."""
    assert weighed(mixture()) == 1 + 3 * 0.5
    assert weighed(mixture(**{"bath.1.": 0.0})) == 1 + 2 * 0.5


def test_a_wire_may_lead_to_a_gathered_input() -> None:
    """It is an input like any other."""
    document = mixture(**{"bath.0.": ["3", 0]}) | {"3": node("Mix Baths", version=0)}
    document["3"]["inputs"] |= dict.fromkeys(BATHS, 0.25)
    assert weighed(document) == 1 + 0.75 + 2 * 0.5


def test_a_value_out_of_bounds_is_refused_by_the_name_in_the_workflow() -> None:
    """Whoever wrote the workflow has never heard of the field."""
    with pytest.raises(Invalid) as refused:
        parse(mixture(**{"bath.1.": 2.0, "version": 77}), SCHEMA, NOWHERE)
    assert [problem.message for problem in refused.value.problems] == [
        "version: 77 is above 9",
        "bath.1.: 2.0 is above 1.0",
    ]


def test_clients_see_the_names_and_the_bounds() -> None:
    """In the order of the class."""
    info = SCHEMA.object_info(NOWHERE)["Mix Baths"]
    assert info["name"] == "Mix Baths"
    assert info["display_name"] == "Mix Baths"
    assert info["input_order"] == {"required": ["version", *BATHS]}
    assert info["input"]["required"]["bath.0."] == [
        "FLOAT", {"default": 0.5, "min": 0.0, "max": 1.0}
    ]  # fmt: skip
    titles = [entry.title for entry in SCHEMA.nodes["Mix Baths"].inputs]
    assert titles == ["Version", "Bath 0", "Bath 1", "Stop bath"]


def test_typescript_puts_them_in_quotes() -> None:
    """No key of an interface may have dots or spaces otherwise."""
    text = SCHEMA.typescript()
    assert "export interface MixBathsInputs {" in text
    assert '  "Mix Baths": MixBathsInputs;\n' in text
    assert '  "bath.0."?: number | Wire<"FLOAT">;\n' in text


def test_they_survive_the_canvas_of_comfyui() -> None:
    """There and back, every value keeps its place."""
    ui = to_ui(own(mixture(**{"version": 2, "bath.0.": 0.1, "stop bath": 0.3})), SCHEMA)
    back = to_document(ui, SCHEMA).document
    assert back["nodes"]["1"]["class_type"] == "Mix Baths"
    assert back["nodes"]["1"]["inputs"] == {
        "version": 2, "bath.0.": 0.1, "bath.1.": 0.5, "stop bath": 0.3
    }  # fmt: skip


def test_a_setting_finds_the_input_behind_the_dots() -> None:
    """NODE.INPUT, where both may have dots of their own."""
    document = {"a.b": mixture()["1"], "2": node("Weigh", weight=["a.b", 0])}
    changed = apply_settings(document, {"a.b.bath.0.": 0.0, "a.b.version": 2}, SCHEMA)
    assert changed["a.b"]["inputs"] == {"bath.0.": 0.0, "version": 2}
    graph = parse(document, SCHEMA, NOWHERE)
    assert Place.of("a.b.bath.1.", graph) == Place("a.b", "bath.1.")
    with pytest.raises(Invalid, match=r"a\.b\.bath\.9\.") as refused:
        apply_settings(document, {"a.b.bath.9.": 0.0}, SCHEMA)
    assert "the workflow has no node 'a.b.bath.9'" in str(refused.value)


def test_a_node_is_still_built_by_hand() -> None:
    """Under the names of its fields."""
    made = MixBaths(edition=1, shares={"bath.0.": 2.0})
    assert made.edition + sum(made.shares.values()) == 3.0


def test_a_subclass_has_a_name_of_its_own() -> None:
    """Or else two nodes would be called alike."""
    other = type("Stir", (MixBaths,), {"__doc__": "Stir."})
    assert (name_of(MixBaths), name_of(other)) == ("Mix Baths", "Stir")
    twin = type("Twin", (TakePaper,), {"__doc__": "Mix.", "known_as": "Mix Baths"})
    with pytest.raises(NodeDefinitionError, match=r"^Mix Baths is defined twice: in "):
        Catalog.of(MixBaths, twin)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"a": Annotated[float, Each(BATHS)]}, "a: what gathers inputs is written"),
        ({"a": int, "b": Annotated[int, KnownAs("a")]}, "b: there are two inputs called 'a'"),
        (
            {"a": Annotated[Mapping[str, TakePaper], Each(BATHS, 0.5)]},
            "a: a socket has no default, except None",
        ),
        ({"a": Annotated[Mapping[str, int], Each(BATHS, 0.5)]}, "a: want a whole number, got 0.5"),
    ],
)
def test_a_name_that_does_not_fit_is_refused(fields: dict[str, Any], message: str) -> None:
    """With the name of the field."""
    body = {"__doc__": "Has a bad input.", "__annotations__": fields, "run": Weigh.run}
    with pytest.raises(NodeDefinitionError) as refused:
        read(type("Clash", (Node,), body))
    assert str(refused.value).startswith(f"Clash: {message}")


def test_a_gathering_field_has_no_default_of_its_own() -> None:
    """Each tells it."""
    fields = {"a": Annotated[Mapping[str, float], Each(BATHS)]}
    body = {"__doc__": "Has a bad input.", "__annotations__": fields, "a": 1.0, "run": Weigh.run}
    with pytest.raises(NodeDefinitionError) as refused:
        read(type("Clash", (Node,), body))
    assert str(refused.value) == "Clash: a: Each itself gives the default of every input"
