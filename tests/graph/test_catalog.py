import sys
from pathlib import Path
from types import ModuleType
from typing import Annotated, ClassVar

import pytest
from tests.graph import darkroom
from tests.graph.darkroom import CATALOG, Hang

from safelight.graph.catalog import Catalog
from safelight.graph.node import Context, Node, NodeDefinitionError, Output


class Film:
    """Something else that calls itself paper."""

    wire: ClassVar[str] = "PAPER"


class Develop(Node):
    """Develop a film."""

    film: Film

    def run(self, ctx: Context) -> Annotated[Film, Output("FILM")]:
        return self.film


def test_a_catalog_of_a_module_holds_the_nodes_it_defines() -> None:
    """Neither imported ones nor the base class."""
    assert set(Catalog.of(darkroom)) == set(CATALOG)
    assert "Node" not in Catalog.of(darkroom)


def test_a_catalog_of_a_package_holds_the_nodes_of_its_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Modules whose names start with an underscore are left out."""
    package = tmp_path / "strangers_pack"
    package.mkdir()
    (package / "__init__.py").write_text("")
    body = (
        "from safelight.graph.node import Context, Node, Shown\n"
        "class {name}(Node):\n"
        "    'Show nothing.'\n"
        "    def run(self, ctx: Context) -> Shown:\n"
        "        return Shown({{}})\n"
    )
    (package / "one.py").write_text(body.format(name="First"))
    (package / "_two.py").write_text(body.format(name="Second"))
    monkeypatch.syspath_prepend(tmp_path)
    import strangers_pack  # type: ignore[import-not-found]  # written above

    assert list(Catalog.of(strangers_pack)) == ["First"]
    for name in [name for name in sys.modules if name.startswith("strangers_pack")]:
        monkeypatch.delitem(sys.modules, name)


def test_two_classes_of_one_name_are_refused() -> None:
    """With both places."""
    twin = type("Hang", (Node,), {"__doc__": "Twin.", "__module__": "elsewhere"})
    with pytest.raises(NodeDefinitionError) as refused:
        Catalog.of(Hang, twin)
    assert str(refused.value) == ("Hang is defined twice: in tests.graph.darkroom and in elsewhere")


def test_a_broken_pack_is_left_out_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of the catalog loads."""

    class Entry:
        def __init__(self, name: str, found: object) -> None:
            self.name = name
            self.value = f"pack.{name}"
            self.found = found

        def load(self) -> object:
            if isinstance(self.found, Exception):
                raise self.found
            return self.found

    entries = [
        Entry("broken", ImportError("no torch")),
        Entry("good", Develop),
        Entry("twin", Hang),
    ]
    monkeypatch.setattr("safelight.graph.catalog.entry_points", lambda group: entries)
    clash = ModuleType("clash")
    clash.Hang = type(  # type: ignore[attr-defined]  # a module made by hand
        "Hang", (Node,), {"__doc__": "Mine.", "__module__": "clash", "run": lambda self, ctx: None}
    )
    monkeypatch.setitem(sys.modules, "clash", clash)
    catalog, failures = Catalog.discover(first=("clash",))
    assert list(catalog) == ["Hang", "Develop"]
    assert {name: str(failure) for name, failure in failures.items()} == {
        "broken": "no torch",
        "twin": "Hang is defined twice: in clash and in tests.graph.darkroom",
    }
