import os
import re
import time
from pathlib import Path

import pytest

from safelight.graph.folders import FolderError, Folders


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """A fresh home."""
    made = Folders(tmp_path / "home")
    made.create()
    return made


def put(path: Path, content: bytes = b"") -> Path:
    """Write a file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_a_home_has_every_folder(folders: Folders) -> None:
    """Those of models, and those of pictures and nodes."""
    assert {path.name for path in folders.home.iterdir()} == {
        "models", "input", "output", "temp", "custom_nodes"
    }  # fmt: skip
    assert (folders.home / "models" / "text_encoders").is_dir()


def test_models_are_listed_by_path_sorted_without_other_files(folders: Folders) -> None:
    """Hidden folders and files of other kinds are left out."""
    root = folders.directory("checkpoints")
    for name in ("b.safetensors", "sub/a.SAFETENSORS", "notes.txt", ".git/c.safetensors"):
        put(root / name)
    assert folders.names("checkpoints") == ["b.safetensors", "sub/a.SAFETENSORS"]


def test_a_folder_linked_into_itself_is_walked_once(folders: Folders) -> None:
    """Links are followed, circles are not."""
    root = folders.directory("input")
    put(root / "a.png")
    (root / "again").symlink_to(root, target_is_directory=True)
    assert folders.names("input") == ["a.png"]


def test_built_in_files_come_first(tmp_path: Path) -> None:
    """And are found though they lie elsewhere."""
    own = put(tmp_path / "package" / "first-light.safetensors", b"weights")
    builtin = {"checkpoints": {"z.safetensors": own}}
    folders = Folders(tmp_path / "home", builtin=builtin)
    put(folders.directory("checkpoints") / "a.safetensors")
    put(folders.directory("checkpoints") / "z.safetensors")
    assert folders.names("checkpoints") == ["z.safetensors", "a.safetensors"]
    assert folders.resolve("checkpoints", "z.safetensors") == own


def test_a_comfyui_models_folder_can_be_used_in_place(tmp_path: Path) -> None:
    """Also its older folder names; the home's own files win."""
    other = tmp_path / "ComfyUI" / "models"
    put(other / "clip" / "old.safetensors")
    put(other / "text_encoders" / "new.safetensors")
    put(other / "text_encoders" / "both.safetensors")
    folders = Folders(tmp_path / "home", [other])
    mine = put(folders.directory("text_encoders") / "both.safetensors")
    assert folders.names("text_encoders") == [
        "both.safetensors", "new.safetensors", "old.safetensors"
    ]  # fmt: skip
    assert folders.resolve("text_encoders", "both.safetensors") == mine
    assert folders.resolve("text_encoders", "old.safetensors").parent.name == "clip"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../secret.png", "input: '../secret.png' leads out of the folder"),
        ("a/../../secret.png", "input: 'a/../../secret.png' leads out of the folder"),
        ("..\\secret.png", r"input: '..\\secret.png' leads out of the folder"),
        ("/etc/passwd", "input: '/etc/passwd' leads out of the folder"),
        ("a\0b", r"input: 'a\x00b' leads out of the folder"),
        ("", "input: a file name is empty"),
        (".", "input: a file name is empty"),
        ("gone.png", "input: there is no file 'gone.png'"),
        ("folder", "input: 'folder' is a folder, not a file"),
        ("../secret.png [output]", "output: '../secret.png' leads out of the folder"),
    ],
)
def test_a_name_that_is_no_file_inside_is_refused(
    folders: Folders, name: str, message: str
) -> None:
    """With the kind of folder and the name."""
    put(folders.home / "secret.png")
    (folders.directory("input") / "folder").mkdir()
    with pytest.raises(FolderError) as refused:
        folders.resolve("input", name)
    assert str(refused.value) == message


@pytest.mark.parametrize("name", ["x" * 5_000, "\ud800.png"])
def test_a_name_no_file_system_takes_is_refused(folders: Folders, name: str) -> None:
    """Rather than fail in another way."""
    with pytest.raises(FolderError, match=r"^input: there is no file"):
        folders.resolve("input", name)


def test_sets_of_pictures_are_the_folders_that_hold_some(folders: Folders) -> None:
    """Below the input folder, at any depth, and never outside of it."""
    for name in ("alone.png", "cats/a.png", "cats/a.txt", "more/dogs/b.jpg", "notes/c.txt"):
        put(folders.directory("input") / name)
    assert folders.names("picture_sets") == ["cats", "more/dogs"]
    assert folders.resolve("picture_sets", "cats") == folders.directory("input") / "cats"
    with pytest.raises(FolderError, match=r"^picture_sets: '\.\./x' leads out of the folder$"):
        folders.resolve("picture_sets", "../x")
    with pytest.raises(FolderError, match=r"^picture_sets: there is no file 'birds'$"):
        folders.resolve("picture_sets", "birds")


def test_a_file_is_written_only_inside_of_its_folder(folders: Folders) -> None:
    """Subfolders may be named."""
    wanted = folders.directory("loras") / "own" / "style.safetensors"
    assert folders.place_for("loras", "own/style.safetensors") == wanted
    with pytest.raises(FolderError, match=r"^loras: '\.\./\.\./x' leads out of the folder$"):
        folders.place_for("loras", "../../x")


def test_an_unknown_kind_is_refused(folders: Folders) -> None:
    """With the known ones."""
    with pytest.raises(FolderError, match=r"^there is no folder 'vaes'; there are checkpoints, "):
        folders.names("vaes")


def test_a_picture_name_may_say_where_it_lies(folders: Folders) -> None:
    """So that an output can be an input."""
    made = put(folders.directory("output") / "sub" / "a.png")
    assert folders.resolve("input", "sub/a.png [output]") == made
    assert folders.resolve("input", "sub\\a.png [output]") == made


def test_a_stamp_changes_with_the_file(folders: Folders) -> None:
    """With its size, and with its time when the size is the same."""
    path = put(folders.directory("input") / "a.png", b"1")
    stamps = {folders.stamp("input", "a.png")}
    put(path, b"22")
    stamps.add(folders.stamp("input", "a.png"))
    os.utime(path, ns=(1, 1))
    stamps.add(folders.stamp("input", "a.png"))
    assert len(stamps) == 3


def test_outputs_are_numbered_after_the_greatest(folders: Folders) -> None:
    """Five digits, per prefix, also within a batch."""
    root = folders.directory("output")
    for name in ("cat_00002_.png", "cat_00041_.png", "catalogue_00099_.png", "cat_x_.png"):
        put(root / name)
    series = folders.new_output("output", "cat", 64, 64)
    assert [series.file(index).filename for index in range(2)] == [
        "cat_00042_.png", "cat_00043_.png"
    ]  # fmt: skip
    assert folders.new_output("output", "dog", 1, 1).file(0).filename == "dog_00001_.png"


def test_a_prefix_may_name_subfolders(folders: Folders) -> None:
    """They are made, and told apart in the record."""
    file = folders.new_output("output", "pets/cats/tom", 1, 1).file(0)
    assert file.record() == {
        "filename": "tom_00001_.png",
        "subfolder": "pets/cats",
        "type": "output",
    }
    assert file.path == folders.directory("output") / "pets" / "cats" / "tom_00001_.png"
    assert file.path.parent.is_dir()


def test_a_prefix_is_filled_in(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes and the time; unknown words stay."""
    moment = time.struct_time((2026, 3, 4, 5, 6, 7, 0, 0, 0))
    monkeypatch.setattr(time, "localtime", lambda: moment)
    prefix = "%width%x%height%-%year%%month%%day%-%hour%%minute%%second%-%what%"
    file = folders.new_output("output", prefix, 512, 768).file(0)
    assert file.filename == "512x768-20260304-050607-%what%_00001_.png"


def test_the_number_within_a_batch_may_be_part_of_the_name(folders: Folders) -> None:
    """And is not counted as the running number."""
    series = folders.new_output("output", "cat%batch_num%", 1, 1)
    for index in range(2):
        series.file(index).write(b"")
    assert {path.name for path in folders.directory("output").iterdir()} == {
        "cat0_00001_.png", "cat1_00002_.png"
    }  # fmt: skip
    later = folders.new_output("output", "cat%batch_num%", 1, 1)
    assert later.file(0).filename == "cat0_00003_.png"


@pytest.mark.parametrize(
    ("prefix", "filename"),
    [
        ("", "image_00001_.png"),
        ('a<b>:"c|d?e*\n', "a_b___c_d_e___00001_.png"),
        ("é" * 500, "é" * 90 + "_00001_.png"),
    ],
)
def test_a_prefix_is_made_to_fit_every_file_system(
    folders: Folders, prefix: str, filename: str
) -> None:
    """A picture that took minutes is not lost for its name."""
    file = folders.new_output("output", prefix, 1, 1).file(0)
    assert file.filename == filename
    file.write(b"picture")
    assert file.path.read_bytes() == b"picture"


@pytest.mark.parametrize("prefix", ["../out", "/tmp/out", "a/../../out"])
def test_a_prefix_that_leads_out_is_refused(folders: Folders, prefix: str) -> None:
    """Nothing is made outside."""
    with pytest.raises(FolderError) as refused:
        folders.new_output("output", prefix, 1, 1)
    assert str(refused.value) == f"output: {prefix!r} leads out of the folder"


def test_temporary_pictures_have_names_of_their_own(folders: Folders) -> None:
    """So that a browser never shows an old one."""
    file = folders.new_output("temp", "preview", 1, 1).file(0)
    assert re.fullmatch(r"preview_temp_[a-z]{5}_00001_\.png", file.filename)
    assert file.type == "temp"
    file.write(b"")
    folders.empty_temp()
    assert list(folders.directory("temp").iterdir()) == []


def test_a_file_is_written_whole_or_not_at_all(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the disk fails, neither the file nor its draft is left."""
    file = folders.new_output("output", "cat", 1, 1).file(0)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        file.write(b"picture")
    assert list(folders.directory("output").iterdir()) == []
