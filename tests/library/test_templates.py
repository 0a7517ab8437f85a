"""The workflows that ComfyUI offers to begin with, as a measure of the conversion.

They come from PyPI's comfyui-workflow-templates, whose licence keeps them out of
this repository: install it (`pip install comfyui-workflow-templates`) to run these
tests, with -s to see the counts.
"""

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import safelight.library
from safelight.graph.catalog import Catalog
from safelight.graph.convert import to_document, to_ui
from safelight.graph.folders import Folders
from safelight.graph.problems import Invalid, Problem
from safelight.graph.records import COMBO, InputSpec, NodeSpec, OutputSpec
from safelight.graph.schema import Schema, describe
from safelight.graph.workflow import parse

WEIGHTS = (".safetensors", ".sft", ".ckpt", ".pt", ".pth", ".bin", ".gguf")
PACKAGES = ("comfyui_workflow_templates_json", "comfyui_workflow_templates")


@pytest.fixture(scope="module")
def templates() -> Mapping[str, Any]:
    """The files by name, without those that are no workflows."""
    found: dict[str, Any] = {}
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            for path in sorted(Path(folder).glob("templates/*.json")):
                content = json.loads(path.read_text(encoding="utf-8"))
                if isinstance(content, dict) and isinstance(content.get("nodes"), list):
                    found.setdefault(path.stem, content)
    if not found:
        pytest.skip("comfyui-workflow-templates is not installed")
    return found


@pytest.fixture(scope="module", params=["ours", "reference"])
def schema(request: pytest.FixtureRequest) -> Schema:
    """Our own nodes; and all that the reference lists, where it is at hand."""
    if request.param == "ours":
        return describe(Catalog.of(safelight.library))
    folder: Path = request.getfixturevalue("reference")
    listed = json.loads((folder / "object_info_core.json").read_text())["nodes"]
    return Schema({name: listed_node(name, info) for name, info in listed.items()}, {})


def listed_node(name: str, info: Mapping[str, Any]) -> NodeSpec:
    """One node of the reference as ours describe themselves."""
    groups = {key: info["inputs"].get(key, []) for key in ("required", "optional")}
    return NodeSpec(
        name=name,
        title=name,
        category="",
        help="",
        version=1,
        effect=info["output_node"],
        module="",
        inputs=tuple(
            listed_input(entry, key == "required") for key in groups for entry in groups[key]
        ),
        outputs=tuple(
            OutputSpec(name=entry["name"], title="", type=entry["type"])
            for entry in info["outputs"]
        ),
    )


def listed_input(entry: Mapping[str, Any], required: bool) -> InputSpec:
    """One input of the reference; the files of folders are not listed there."""
    options = entry.get("options")
    listed = isinstance(options, list) and all(isinstance(option, str) for option in options)
    return InputSpec(
        name=entry["name"],
        title="",
        type="ONLY_BY_WIRE" if entry.get("forceInput") else entry["type"],
        required=required,
        omissible="default" in entry or not required,
        default=entry.get("default"),
        min=entry.get("min"),
        max=entry.get("max"),
        choices=tuple(options) if entry["type"] == COMBO and listed and options else None,
        upload=bool(entry.get("image_upload")),
        multiline=bool(entry.get("multiline")),
        seed=bool(entry.get("control_after_generate")),
    )


def mistakes(document: Mapping[str, Any], schema: Schema, folders: Folders) -> list[Problem]:
    """What parse finds, but for files that are not there."""
    try:
        parse(document, schema, folders)
    except Invalid as invalid:
        return [problem for problem in invalid.problems if not of_file(problem, document, schema)]
    return []


def of_file(problem: Problem, document: Mapping[str, Any], schema: Schema) -> bool:
    """Whether a problem is a file that lies on somebody else's disk."""
    if problem.kind != "value_not_in_list" or problem.node is None:
        return False
    if str(problem.extra.get("received_value")).endswith(WEIGHTS):
        return True
    spec = schema.nodes[document["nodes"][problem.node]["class_type"]]
    return spec.by_name[str(problem.extra["input_name"])].folder is not None


def test_templates_convert_and_those_of_known_nodes_are_sound(
    templates: Mapping[str, Any], schema: Schema, tmp_path: Path
) -> None:
    """Model files aside, and choices that newer versions added, which are printed.

    A second way there and back changes nothing.
    """
    folders = Folders(tmp_path)
    known = sound = 0
    wrong: list[str] = []
    newer: list[str] = []
    for name, content in templates.items():
        document = to_document(content, schema).document
        back = to_document(to_ui(document, schema), schema).document
        assert to_document(to_ui(back, schema), schema).document == back, name
        if {node["class_type"] for node in document["nodes"].values()} - schema.nodes.keys():
            continue
        known += 1
        found = mistakes(document, schema, folders)
        sound += not found
        for problem in found:
            lines = newer if problem.kind == "value_not_in_list" else wrong
            lines.append(f"{name}: {problem}")
    print(
        f"\n{len(templates)} templates converted; "
        f"{sound} of {known} that use only these {len(schema.nodes)} nodes are sound",
        *newer,
        sep="\n",
    )
    assert not wrong, "\n".join(wrong)
