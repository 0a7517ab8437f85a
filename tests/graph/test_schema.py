import json
from pathlib import Path
from typing import Annotated, ClassVar

import pytest
from tests.graph.darkroom import CATALOG, NOWHERE, SCHEMA, Expose, TakePaper

from safelight.graph.catalog import Catalog
from safelight.graph.folders import Folders
from safelight.graph.node import Context, Node, NodeDefinitionError, Output, Shown
from safelight.graph.schema import Schema, describe


class Film:
    """Something else that calls itself paper."""

    wire: ClassVar[str] = "PAPER"


class Develop(Node):
    """Develop a film."""

    film: Film

    def run(self, ctx: Context) -> Annotated[Film, Output("FILM")]:
        return self.film


def test_the_schema_survives_json() -> None:
    """What the worker writes, the server reads: the same records, the same digest."""
    read_back = Schema.from_json(json.loads(json.dumps(SCHEMA.to_json())))
    assert read_back == SCHEMA
    assert read_back.digest == SCHEMA.digest


def test_the_digest_changes_with_any_fact() -> None:
    """Leaving one node out is enough."""
    fewer = describe(Catalog([found for found in CATALOG.values() if found is not TakePaper]))
    assert fewer.digest != SCHEMA.digest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 99}, "a schema of format 99, want 1"),
        ({"digest": "0"}, "the schema is damaged: its digest does not fit its content"),
        ({"nodes": [{}]}, "the schema is damaged: KeyError('name')"),
    ],
)
def test_a_damaged_schema_is_refused(change: dict[str, object], message: str) -> None:
    """A file on disk may be from another version, or half written."""
    with pytest.raises(ValueError, match=r".*") as refused:
        Schema.from_json({**SCHEMA.to_json(), **change})
    assert str(refused.value) == message


def test_a_wire_fits_its_own_kind_its_bases_and_anything() -> None:
    """Glossy paper is paper; paper need not be glossy."""
    assert SCHEMA.accepts("PAPER", "PAPER")
    assert SCHEMA.accepts("PAPER", "GLOSSY_PAPER")
    assert not SCHEMA.accepts("GLOSSY_PAPER", "PAPER")
    assert SCHEMA.accepts("*", "PAPER")
    assert SCHEMA.accepts("INT", "*")
    assert not SCHEMA.accepts("FLOAT", "INT")


def test_a_wire_that_means_two_things_is_refused() -> None:
    """Two packs must not call unrelated classes alike."""
    with pytest.raises(NodeDefinitionError) as refused:
        describe(Catalog.of(TakePaper, Develop))
    message = str(refused.value)
    assert message.startswith("wire PAPER means two things: ")
    assert "tests.graph.darkroom.Paper" in message
    assert f"{__name__}.Film" in message


def test_describe_reports_the_mistakes_of_all_classes() -> None:
    """One line for each class."""

    class First(Node):
        """First."""

        a: int | str

        def run(self, ctx: Context) -> Shown:
            return Shown({})

    class Second(Node):
        """Second."""

        def run(self, ctx: Context) -> int | str:
            return 1

    with pytest.raises(NodeDefinitionError) as refused:
        describe(Catalog.of(First, Second))
    assert str(refused.value) == (
        "First: a: want one type, and perhaps None besides\n"
        "Second: run: want one type, and perhaps None besides"
    )


def test_object_info_has_the_shape_that_clients_read() -> None:
    """Checked key by key on a node with every kind of input."""
    info = SCHEMA.object_info(NOWHERE)["Expose"]
    assert info == {
        "input": {
            "required": {
                "paper": ["PAPER", {}],
                "seed": [
                    "INT",
                    {"default": 0, "min": 0, "max": 2**64 - 1, "control_after_generate": True},
                ],
                "steps": [
                    "INT",
                    {"default": 20, "min": 1, "max": 10000, "tooltip": "How many flashes."},
                ],
                "strength": [
                    "FLOAT",
                    {"default": 8.0, "min": 0.0, "max": 100.0, "step": 0.1, "round": 0.01},
                ],
                "method": [["euler", "euler_ancestral", "heun"], {}],
                "order": [["up", "down"], {"default": "down"}],
                "text": ["STRING", {"multiline": True}],
                "twice": ["BOOLEAN", {"default": False}],
            },
            "optional": {"mask": ["MASK", {}]},
        },
        "input_order": {
            "required": [
                "paper", "seed", "steps", "strength", "method", "order", "text", "twice"
            ],
            "optional": ["mask"],
        },
        "output": ["PAPER"],
        "output_is_list": [False],
        "output_name": ["PAPER"],
        "name": "Expose",
        "display_name": "Expose paper",
        "description": "Let light fall on paper.\n\nThe longer, the darker.",
        "python_module": "custom_nodes.tests",
        "category": "paper",
        "output_node": False,
    }  # fmt: skip


def test_object_info_tells_effects_and_output_help() -> None:
    """Output nodes, and tooltips where an output has one."""
    info = SCHEMA.object_info(NOWHERE)
    assert info["Hang"]["output_node"]
    assert info["Hang"]["output"] == []
    assert info["Cut"]["output_tooltips"] == ["", "How dark."]


def test_files_of_folders_are_choices_at_the_time_of_asking(tmp_path: Path) -> None:
    """A file added later appears without reading the classes again."""
    folders = Folders(tmp_path)
    folders.create()
    listed = SCHEMA.object_info(folders)["OpenNegative"]["input"]["required"]["image"]
    assert listed == [[], {"image_upload": True}]
    (tmp_path / "input" / "cat.png").write_bytes(b"")
    entry = SCHEMA.public(folders)["nodes"]["OpenNegative"]["inputs"][0]
    assert (entry["choices"], entry["default"], entry["folder"]) == (
        ["cat.png"],
        "cat.png",
        "input",
    )


def test_the_public_schema_gives_the_canvas_everything() -> None:
    """Types with their bases, nodes with all fields of all inputs, valid as JSON."""
    public = json.loads(json.dumps(SCHEMA.public(NOWHERE)))
    assert public["digest"] == SCHEMA.digest
    assert public["types"]["GLOSSY_PAPER"] == {
        "bases": ["PAPER"],
        "title": "Glossy Paper",
        "help": "Paper that shines.",
    }
    assert public["types"]["PAPER"]["help"] == "What light falls on."
    node = public["nodes"]["Expose"]
    assert (node["title"], node["version"], node["effect"]) == ("Expose paper", 2, False)
    assert node["inputs"][1] == {
        "name": "seed", "title": "Seed", "type": "INT", "required": True, "socket": False,
        "default": 0, "min": 0, "max": 2**64 - 1, "step": None, "round": None, "choices": None,
        "folder": None, "upload": False, "multiline": False, "seed": True, "help": "",
    }  # fmt: skip
    assert node["inputs"][0]["socket"]
    assert node["outputs"] == [{"name": "PAPER", "title": "Paper", "type": "PAPER", "help": ""}]


def test_typescript_names_every_input() -> None:
    """Optional where a workflow may leave it out."""
    text = SCHEMA.typescript()
    assert (
        "export interface ExposeInputs {\n"
        '  paper: Wire<"PAPER">;\n'
        '  seed?: number | string | Wire<"INT">;\n'
        '  steps?: number | string | Wire<"INT">;\n'
        '  strength?: number | Wire<"FLOAT">;\n'
        '  method: "euler" | "euler_ancestral" | "heun";\n'
        '  order?: "up" | "down";\n'
        '  text: string | Wire<"STRING">;\n'
        '  twice?: boolean | Wire<"BOOLEAN">;\n'
        '  mask?: Wire<"MASK">;\n'
        "}"
    ) in text
    assert "  Hang: HangInputs;\n" in text


def test_the_help_page_names_every_input() -> None:
    """With what fits it, and what happens when it is left out."""
    assert SCHEMA.manual(Expose.__name__) == (
        "Expose: Expose paper (paper)\n"
        "\n"
        "Let light fall on paper.\n"
        "\n"
        "The longer, the darker.\n"
        "\n"
        "Inputs\n"
        "  paper  PAPER\n"
        "  seed  INT 0..18446744073709551615, 0 if left out\n"
        "  steps  INT 1..10000, 20 if left out\n"
        "      How many flashes.\n"
        "  strength  FLOAT 0.0..100.0, 8.0 if left out\n"
        "  method  one of euler, euler_ancestral, heun\n"
        "  order  one of up, down, 'down' if left out\n"
        "  text  STRING\n"
        "  twice  BOOLEAN, False if left out\n"
        "  mask  MASK, may be left out\n"
        "\n"
        "Outputs\n"
        "  PAPER  PAPER\n"
    )
