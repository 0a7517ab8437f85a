"""The command `safelight train STAGE`, also `python -m safelight.training STAGE --work DIR`.

The stages of the embedded model, in order: pictures, autoencoder, latents, contrastive,
denoiser, polish (which may run beside denoiser), export.  The judge needs none of them.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from safelight.diffusion.weights import CheckpointError
from safelight.training.export import EXPORTS, JUDGE
from safelight.training.loop import Budget, Run
from safelight.training.place import resolved
from safelight.training.processes import launch
from safelight.training.report import COUNT, report, write_into
from safelight.training.stages import STAGES, Work

PICTURES = 96_512
SIZE_PX = 128
MINUTES = 10.0  # where nothing is said; encoding the latents ends when it is done
SHIPPED = Path(__file__).parents[1] / "pretrained"
EXAMINED = SHIPPED / EXPORTS["denoiser"][0]


def main(
    arguments: Sequence[str] | None = None,
    program: str = "python -m safelight.training",
    work: Path | None = None,
) -> int:
    """Run one stage; return the exit code.  `work` is where files are kept if nothing is said."""
    chosen = _parser(program, work).parse_args(arguments)
    try:
        _do(chosen)
    except (CheckpointError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _do(chosen: argparse.Namespace) -> None:
    work, stage = Work(chosen.work), chosen.stage
    if stage == "pictures":
        from safelight.training.pictures import draw_pictures

        draw_pictures(work.pictures, chosen.count or PICTURES, SIZE_PX, chosen.processes)
    elif stage == "export":
        name, write = EXPORTS[chosen.of]
        write(work, chosen.output or SHIPPED / name)
    elif chosen.report:
        _report(chosen)
    else:
        minutes = MINUTES if chosen.steps is None else None
        budget = Budget(chosen.minutes or minutes, chosen.steps)
        device = resolved(chosen.device)
        run = Run(
            work.of(stage),
            budget,
            seed=chosen.seed,
            resume=chosen.resume,
            start=chosen.start,
            device=device,
            board=chosen.tensorboard,
        )
        launch(1 if device == "cuda" else chosen.processes, STAGES[stage], work, run)


def _report(chosen: argparse.Namespace) -> None:
    """Examine a checkpoint and print the table; put it into the model card if asked."""
    table = report(chosen.checkpoint, chosen.judge, chosen.count or COUNT, chosen.sheet).markdown()
    print(table)
    if chosen.card is not None:
        write_into(chosen.card, table)


def _parser(program: str, work: Path | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program,
        description="Train a stage of the embedded model, export it, or examine it.",
        epilog=_stages(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("stage", choices=["pictures", *STAGES, "export"])
    parser.add_argument(
        "--work",
        type=Path,
        required=work is None,
        default=work,
        metavar="DIR",
        help="where all stages keep files" + (" (%(default)s)" if work else ""),
    )
    parser.add_argument("--minutes", type=float, help="end after so many minutes of work")
    parser.add_argument("--steps", type=int, help="end after so many steps")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument("--start", type=Path, help="take fitting weights of this state.pt")
    parser.add_argument("--processes", type=int, default=2, help="that share each step")
    parser.add_argument(
        "--device", choices=["auto", "cpu", "cuda"], default="auto", help="where to compute"
    )
    parser.add_argument("--tensorboard", action="store_true", help="keep a log for it too")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--count", type=int, help=f"pictures to draw ({PICTURES}), prompts to report on ({COUNT})"
    )
    _add_export(parser)
    _add_report(parser)
    return parser


def _stages() -> str:
    """List the stages with the first line of what their functions say of themselves."""
    lines = [
        f"  {name:<12} {(train.__doc__ or '').splitlines()[0]}" for name, train in STAGES.items()
    ]
    first = f"  {'pictures':<12} Draw the pictures that most stages learn from, with captions."
    last = f"  {'export':<12} Write a trained network to a file."
    return "\n".join(["stages:", first, *lines, last])


def _add_export(parser: argparse.ArgumentParser) -> None:
    export = parser.add_argument_group("export: write a trained network to a file")
    export.add_argument("--of", choices=EXPORTS, default="denoiser", help="stage (%(default)s)")
    export.add_argument("--output", type=Path, help="the file; by default the one shipped")


def _add_report(parser: argparse.ArgumentParser) -> None:
    report = parser.add_argument_group("judge --report: examine a model")
    report.add_argument("--report", action="store_true", help="examine instead of training")
    report.add_argument("--checkpoint", type=Path, default=EXAMINED, help="the model to examine")
    report.add_argument("--judge", type=Path, default=SHIPPED / JUDGE, help="the judge")
    report.add_argument("--sheet", type=Path, help="where to show the first answers")
    report.add_argument(
        "--card",
        type=Path,
        nargs="?",
        const=SHIPPED / "README.md",
        help="put the table into this model card (by default the one shipped)",
    )


if __name__ == "__main__":
    sys.exit(main())
