"""Fixtures that several test packages share."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of golden numbers and key layouts that lies beside a developer's checkout."""
    folder = ROOT.parent / "shared" / "reference"
    if not folder.is_dir():
        pytest.skip(f"no golden numbers at {folder}: this parity test needs them")
    return folder
