import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from safelight.graph.catalog import Catalog
from safelight.sources import sources


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """The code behind the nodes that come with Safelight."""
    return sources(Catalog.discover()[0])


def course(told: dict[str, Any], node: str) -> dict[str, list[str]]:
    """The names that a node runs, by file."""
    return {each["file"]: each["names"] for each in told["nodes"][node]["course"]}


def test_a_node_leads_to_the_course(told: dict[str, Any]) -> None:
    """Straight from its own body, or over the glue of its folder."""
    sample = course(told, "KSampler")
    assert "ksampler_sigmas" in sample["safelight/diffusion/schedule.py"]
    assert sample["safelight/diffusion/guidance.py"] == ["refined", "guided", "Technique"]
    assert "AutoencoderKL" in course(told, "VAEDecode")["safelight/diffusion/vae.py"]
    assert all(file.startswith("safelight/diffusion/") for file in sample)


def test_every_node_has_its_class_at_its_line(told: dict[str, Any]) -> None:
    """No node of ours hides."""
    catalog = Catalog.discover()[0]
    assert set(told["nodes"]) == set(catalog)
    for name, place in told["nodes"].items():
        line = told["files"][place["file"]]["text"].splitlines()[place["line"] - 1]
        assert line.startswith((f"class {catalog[name].__name__}(", "@")), name


def test_every_name_leads_to_a_file_that_is_told(told: dict[str, Any]) -> None:
    """From one file to the next, with the definition at its line."""
    for file in told["files"].values():
        for name, (target, line) in file["names"].items():
            assert target in told["files"], name
            assert told["files"][target]["text"].splitlines()[line - 1].strip(), name


def test_networks_are_reached_from_file_to_file(told: dict[str, Any]) -> None:
    """Whoever opens a checkpoint can read on to the attention inside."""
    assert {"safelight/diffusion/unet.py", "safelight/diffusion/attention.py"} <= set(told["files"])


def test_a_file_outside_its_package_is_not_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module that claims a name of a package but lies elsewhere stays closed."""
    secret = tmp_path / "secret.py"
    secret.write_text("class Spy: ...\n")
    package = ModuleType("honest")
    package.__path__ = [str(tmp_path / "honest")]
    spy = ModuleType("honest.spy")
    spy.__file__ = str(secret)
    monkeypatch.setitem(sys.modules, "honest", package)
    monkeypatch.setitem(sys.modules, "honest.spy", spy)
    node = type("Spy", (), {"__module__": "honest.spy"})
    assert sources({"Spy": node}) == {"nodes": {}, "files": {}}
