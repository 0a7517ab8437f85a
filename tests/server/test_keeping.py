"""Files that are kept, found, named and swept away."""

import io
import os
import time
from pathlib import Path

import pytest

from safelight.graph.folders import Folders
from safelight_server import files


def test_what_a_killed_server_left_is_swept_away(tmp_path: Path) -> None:
    """Drafts that nobody writes, and temporary pictures of more than a week ago; nothing else."""
    folders = Folders(tmp_path)
    folders.create()
    (tmp_path / "input" / "sub").mkdir()
    day = 24 * 3600
    ages = {
        "input/sub/.upload-0123": 60,
        "input/.upload-4567": 0,
        "output/.a.png.0123.part": 60,
        "output/.b.png.0123.part": 0,
        "output/old.png": 8 * day,
        "output/notes.part": 8 * day,
        "temp/old.png": 8 * day,
        "temp/new.png": 6 * day,
    }
    for name, age in ages.items():
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (time.time() - age, time.time() - age))
    files.sweep(folders)
    gone = [name for name in ages if not (tmp_path / name).exists()]
    assert gone == ["input/sub/.upload-0123", "output/.a.png.0123.part", "temp/old.png"]


def test_an_upload_without_links_still_replaces_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On file systems without hard links a free name is found as well."""

    def refuse(*_: object) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    folders = Folders(tmp_path)
    folders.create()
    wanted = files.Stored("a.png", "", "input")
    names = [
        files.keep_upload(folders, io.BytesIO(content), wanted, overwrite=False).name
        for content in (b"1", b"2", b"1")
    ]
    assert names == ["a.png", "a (1).png", "a.png"]


def test_a_builtin_file_is_shown_and_never_hidden(tmp_path: Path) -> None:
    """It is found without lying there; another upload of its name gets another one."""
    builtin = tmp_path / "shipped.png"
    builtin.write_bytes(b"shipped")
    folders = Folders(tmp_path, (), {"input": {"example.png": builtin}})
    folders.create()
    assert files.locate(folders, "example.png", "input", "") == builtin
    wanted = files.Stored("example.png", "", "input")
    for content, overwrite, name in (
        (b"shipped", False, "example.png"),
        (b"mine", False, "example (1).png"),
        (b"other", True, "example (2).png"),
    ):
        stored = files.keep_upload(folders, io.BytesIO(content), wanted, overwrite=overwrite)
        assert stored.name == name
    assert builtin.read_bytes() == b"shipped"


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("a.png", 'filename="a.png"'),
        ('a"b.png', "filename=\"a_b.png\"; filename*=UTF-8''a%22b%2Epng"),
        ("мир.png", "filename=\"___.png\"; filename*=UTF-8''%D0%BC%D0%B8%D1%80%2Epng"),
    ],
)
def test_a_name_in_any_script_fits_a_header(name: str, header: str) -> None:
    """Plain for old clients, exact for the others (RFC 6266)."""
    assert files.disposition(name) == header
