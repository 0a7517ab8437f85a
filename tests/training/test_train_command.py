"""`safelight train`: training as a user's tool, which nothing can spoil half-way."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from safelight.__main__ import main
from safelight.training import progress, stages
from safelight.training.loop import Budget, Pace, Run, load, train
from safelight.training.place import computes_bfloat16, place_of, resolved
from safelight.training.stages import STAGES, Work

STEPS = 120
PACE = Pace(batch=8, bfloat16=False, save_every_s=0.0, report_every_s=1e9, warm_up=2)


class Toy:
    """A stage of a few thousand weights, which tells when a step is done."""

    name = "toy"

    def __init__(self, *, tells: bool = False) -> None:
        torch.manual_seed(0)
        self.network = nn.Sequential(nn.Linear(32, 32), nn.SiLU(), nn.Linear(32, 32))
        self.tells = tells

    def loss(self, count: int, draw: torch.Generator, spent: float) -> Tensor:
        if self.tells:
            print("step", flush=True)
        x = torch.randn(count, 32, generator=draw)
        return (self.network(x) - x.flip(1)).square().mean()

    def report(self, folder: Path) -> dict[str, float]:
        return {}


def train_toy(folder: Path) -> None:
    """Train in a process that somebody may kill."""
    torch.set_num_threads(1)
    train(Toy(tells=True), PACE, Run(folder, Budget(steps=STEPS), resume=True))


def test_a_run_killed_outright_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    """Killed without warning in the middle and resumed: the same weights, bit for bit."""
    train(Toy(), PACE, Run(tmp_path / "whole", Budget(steps=STEPS)))
    code = (
        "import sys, importlib.util as u; from pathlib import Path; "
        f"s = u.spec_from_file_location('toy', {__file__!r}); "
        "m = u.module_from_spec(s); sys.modules['toy'] = m; s.loader.exec_module(m); "
        f"m.train_toy(Path({str(tmp_path / 'killed')!r}))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        assert child.stdout is not None
        for _ in range(20):
            assert child.stdout.readline() == b"step\n"
        child.kill()
    assert child.returncode != 0
    reached = load(tmp_path / "killed" / "state.pt")["step"]
    assert 10 < reached < STEPS
    train(Toy(), PACE, Run(tmp_path / "killed", Budget(steps=STEPS), resume=True))
    whole, killed = (load(tmp_path / name / "state.pt") for name in ("whole", "killed"))
    for part in ("step", "network", "average", "optimizers"):
        torch.testing.assert_close(killed[part], whole[part], rtol=0, atol=0)


def toy_stage(work: Work, run: Run) -> None:
    """A stage as the registry holds them."""
    train(Toy(), PACE, run)


@pytest.mark.slow
def test_the_command_trains_and_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One step in one process leaves a checkpoint; a spent budget leaves it as it is."""
    monkeypatch.setitem(vars(stages)["STAGES"], "judge", toy_stage)
    command = ["train", "judge", "--work", str(tmp_path), "--steps", "1", "--processes", "1"]
    assert main([*command, "--device", "cpu"]) == 0
    first = load(tmp_path / "judge" / "state.pt")
    assert first["step"] == 1
    assert main([*command, "--resume"]) == 0
    again = load(tmp_path / "judge" / "state.pt")
    torch.testing.assert_close(again["network"], first["network"], rtol=0, atol=0)


def test_the_command_names_all_stages(capsys: pytest.CaptureFixture[str]) -> None:
    """The help is made from the one registry, a line for each."""
    with pytest.raises(SystemExit) as end:
        main(["train", "--help"])
    assert end.value.code == 0
    told = capsys.readouterr().out
    for name, stage in STAGES.items():
        assert f"  {name} " in told
        assert (stage.__doc__ or "").splitlines()[0] in told


def test_files_are_kept_in_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --work the stages meet in `training` beside the models."""
    monkeypatch.setenv("SAFELIGHT_HOME", str(tmp_path / "home"))
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    assert str(tmp_path / "home" / "training") in "".join(capsys.readouterr().out.split())


def test_a_missing_model_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The report says which file it lacks, and nothing else happens."""
    missing = tmp_path / "none.safetensors"
    assert main(["train", "judge", "--report", "--checkpoint", str(missing)]) == 1
    assert capsys.readouterr().err == f"{missing}: there is no such file\n"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_is_refused_where_there_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`auto` finds the processor; `cuda` says what is missing."""
    assert resolved("auto") == "cpu"
    assert main(["train", "judge", "--work", str(tmp_path), "--device", "cuda"]) == 1
    assert capsys.readouterr().err == (
        "device 'cuda' was asked for, but torch sees no CUDA device here\n"
    )


def test_a_log_for_tensorboard_needs_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is optional, and its absence is said in plain words."""
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ValueError, match=r"^a log for TensorBoard needs the package tensorboard: "):
        train(Toy(), PACE, Run(tmp_path, Budget(steps=1), board=True))


def test_a_board_gets_every_row(tmp_path: Path) -> None:
    """Each figure is a point of its curve at the row's step."""
    points: list[tuple[str, float, int]] = []

    class Written:
        def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None:
            points.append((tag, scalar_value, global_step))

    log = progress.Log(tmp_path / "log.jsonl", Written())
    log.write(step=3, loss=0.5, per_s=2.0)
    assert points == [("loss", 0.5, 3), ("per_s", 2.0, 3)]
    assert json.loads(log.path.read_text()) == {"step": 3, "loss": 0.5, "per_s": 2.0}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_stage_trains_on_cuda(tmp_path: Path) -> None:
    """The judge takes two steps there, and its checkpoint opens anywhere."""
    assert computes_bfloat16(torch.device("cuda"))
    command = ["train", "judge", "--work", str(tmp_path), "--steps", "2", "--device", "cuda"]
    assert main(command) == 0
    state = load(tmp_path / "judge" / "state.pt")
    assert {weight.device.type for weight in state["network"].values()} == {"cpu"}


def test_a_network_is_where_its_weights_are() -> None:
    """Batches follow the weights."""
    assert place_of(nn.Linear(2, 2)) == torch.device("cpu")
    assert place_of(nn.Linear(2, 2, device="meta")) == torch.device("meta")
