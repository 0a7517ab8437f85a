"""The command line, as a process would run it."""

import json
from pathlib import Path

import pytest
from PIL import Image

from safelight.__main__ import main

WORKFLOW = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "safelight-example.png"}},
    "2": {
        "class_type": "ImageScale",
        "inputs": {
            "image": ["1", 0],
            "upscale_method": "lanczos",
            "width": 64,
            "height": 0,
            "crop": "disabled",
        },
    },
    "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "small"}},
}


@pytest.fixture
def workflow(tmp_path: Path) -> Path:
    """A workflow that needs no model, with one parameter."""
    path = tmp_path / "small.json"
    document = {
        "safelight": 1,
        "id": "x",
        "name": "Small",
        "nodes": WORKFLOW,
        "parameters": {"side": {"node": "2", "input": "width"}},
    }
    path.write_text(json.dumps(document))
    return path


@pytest.fixture
def home(tmp_path: Path) -> list[str]:
    """The option that keeps every file inside the test's folder."""
    return ["--home", str(tmp_path / "home")]


def test_run_saves_a_picture_and_names_it(
    workflow: Path, home: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Standard output is the path alone, for the next program in a pipe."""
    output = tmp_path / "pictures"
    assert main(["run", str(workflow), "--set", "side=32", "--output", str(output), *home]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert Path(line) == output / "small_00001_.png"
    with Image.open(line) as picture:
        assert picture.size == (32, 32)


def test_a_saved_picture_runs_again(
    workflow: Path, home: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The workflow inside a PNG is as good as the file; --json tells what was run."""
    assert main(["run", str(workflow), "--set", "2.width=48", *home]) == 0
    picture = capsys.readouterr().out.strip()
    assert main(["run", picture, "--json", *home]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["prompt"]["2"]["inputs"]["width"] == 48
    assert [Path(file).name for file in answer["files"]] == ["small_00002_.png"]
    assert Path(picture).read_bytes() != b""


def test_check_says_everything_that_is_wrong(
    workflow: Path, home: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """All mistakes at once, each with node, class and input; exit code 2, nothing written."""
    settings = ["--set", "1.image=no.png", "--set", "side=99999"]
    assert main(["check", str(workflow), *settings, *home]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "node 1 (LoadImage): image: input: there is no file 'no.png'" in captured.err
    assert "node 2 (ImageScale): width: 99999 is above 16384" in captured.err
    assert not Path(home[1]).exists()


def test_check_approves_a_sound_workflow(
    workflow: Path, home: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, exit code 0."""
    assert main(["check", str(workflow), *home]) == 0
    assert capsys.readouterr().out == f"{workflow}: 3 nodes, no mistakes\n"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"{", "is not JSON: Expecting property name"),
        (b"[" * 100_000, "is not JSON: "),
        (b"\xff\xfe\x00", "is not JSON: "),
        (b'{"safelight": 1}', "cannot run:"),
        (b"[]", "cannot run:"),
    ],
)
def test_what_is_no_workflow_is_refused(
    content: bytes,
    complaint: str,
    tmp_path: Path,
    home: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With the name of the file and exit code 2, whatever is in it."""
    path = tmp_path / "broken.json"
    path.write_bytes(content)
    assert main(["run", str(path), *home]) == 2
    assert f"{path} {complaint}" in capsys.readouterr().err.replace("\n", " ")


def test_a_folder_and_a_missing_file_are_refused(
    tmp_path: Path, home: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Both by name."""
    assert main(["check", str(tmp_path), *home]) == 2
    assert main(["check", str(tmp_path / "gone.json"), *home]) == 2
    complaints = capsys.readouterr().err
    assert f"{tmp_path} is a folder, not a workflow" in complaints
    assert f"{tmp_path / 'gone.json'} cannot be read: No such file or directory" in complaints


def test_a_picture_without_a_workflow_is_refused(
    tmp_path: Path, home: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Most pictures carry none."""
    path = tmp_path / "plain.png"
    Image.new("RGB", (4, 4)).save(path)
    assert main(["run", str(path), *home]) == 2
    assert f"{path} is a picture without a workflow in it" in capsys.readouterr().err


def test_a_failing_node_ends_with_1_and_its_name(
    workflow: Path, home: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """What only the run can find out is told as such."""
    broken = Path(home[1]) / "input" / "broken.png"
    broken.parent.mkdir(parents=True)
    broken.write_text("no picture")
    assert main(["run", str(workflow), "--set", "1.image=broken.png", *home]) == 1
    complaint = capsys.readouterr().err
    assert "node 1 (LoadImage): broken.png is not a picture that can be read" in complaint


@pytest.mark.parametrize(
    "arguments",
    [["dance"], ["run"], ["run", "w.json", "--set", "prompt"], ["serve", "--port", "70000"]],
)
def test_a_wrong_command_ends_with_2(arguments: list[str]) -> None:
    """As every well-behaved command does."""
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2


def test_nodes_lists_and_explains(home: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Every node by name, one in full, and an unknown one refused."""
    assert main(["nodes", *home]) == 0
    listed = capsys.readouterr().out
    assert "KSampler" in listed
    assert "LoadImage" in listed
    assert main(["nodes", "KSampler", *home]) == 0
    assert "steps  INT 1..10000, 20 if left out" in capsys.readouterr().out
    assert main(["nodes", "KSampla", *home]) == 2
    assert "There is no node KSampla" in capsys.readouterr().err


def test_a_picture_tells_nothing_where_that_is_wished(
    workflow: Path, home: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The file then holds the picture and no more."""
    assert main(["run", str(workflow), "--no-metadata", *home]) == 0
    with Image.open(capsys.readouterr().out.strip()) as picture:
        assert picture.info == {}
