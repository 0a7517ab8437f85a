"""Who may import whom: the table of the design, held by reading every import."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = ("safelight", "safelight_server")
# Folder -> packages of ours it may import besides itself, and third-party ones it may not.
LAYERS: dict[str, tuple[set[str], set[str]]] = {
    "nodes/safelight/diffusion": ({"safelight.diffusion"}, {"aiohttp", "PIL", "sqlalchemy"}),
    "nodes/safelight/training": (
        {"safelight.diffusion", "safelight.training"},
        {"aiohttp", "sqlalchemy"},
    ),
    "nodes/safelight/pretrained": ({"safelight.pretrained"}, {"torch", "aiohttp"}),
    "nodes/safelight/library": (
        {
            "safelight.diffusion",
            "safelight.graph",
            "safelight.library",
            "safelight.pretrained",
            "safelight.training",
        },
        {"aiohttp", "sqlalchemy", "websockets"},
    ),
    "server/safelight_server": (
        {"safelight_server", "safelight.graph"},
        {"torch", "numpy", "safetensors"},
    ),
}
VERSION = "safelight.__version__"  # may be told anywhere
STANDARD_LIBRARY_ONLY = "nodes/safelight/graph"


def imports(file: Path) -> Iterator[str]:
    """Every module that `file` imports, at the top or inside a function."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module in OURS:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def is_within(module: str, packages: set[str]) -> bool:
    """Whether `module` is one of `packages` or lies inside one."""
    return any(module == package or module.startswith(package + ".") for package in packages)


def files_of(folder: str) -> list[Path]:
    """The Python files of a layer; a layer without any is a mistake in the table."""
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found, f"no Python files in {folder}"
    return found


@pytest.mark.parametrize("folder", sorted(LAYERS))
def test_a_layer_imports_only_what_the_design_allows(folder: str) -> None:
    """Each folder stays on its side of the table above."""
    allowed, forbidden = LAYERS[folder]
    wrong = [
        f"{file.relative_to(ROOT)} imports {module}"
        for file in files_of(folder)
        for module in imports(file)
        if (module.split(".")[0] in OURS and not is_within(module, {*allowed, VERSION}))
        or is_within(module, forbidden)
    ]
    assert wrong == []


def test_the_graph_needs_the_standard_library_only() -> None:
    """A node, a workflow and the executor can be used without installing anything."""
    import sys

    wrong = [
        f"{file.relative_to(ROOT)} imports {module}"
        for file in files_of(STANDARD_LIBRARY_ONLY)
        for module in imports(file)
        if module.split(".")[0] not in sys.stdlib_module_names
        and not is_within(module, {"safelight.graph"})
    ]
    assert wrong == []


def test_only_memory_moves_weights() -> None:
    """No other file of the course or the library sends a network to a device."""
    wrong = [
        f"{file.relative_to(ROOT)}:{node.lineno} calls .to(device=…) or .cuda()"
        for folder in ("nodes/safelight/diffusion", "nodes/safelight/library")
        for file in files_of(folder)
        if file.name != "memory.py"
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and (node.func.attr == "cuda" or any(word.arg == "device" for word in node.keywords))
        and node.func.attr in ("to", "cuda")
    ]
    assert wrong == []
