"""The command `safelight`: serve the canvas, or work without it."""

import argparse
import os
import sys
import webbrowser
from collections.abc import Mapping, Sequence
from math import inf
from pathlib import Path
from threading import Thread

from platformdirs import user_data_path

from safelight import __version__, remote_options
from safelight.graph.comfy import Format
from safelight.graph.folders import Folders
from safelight.pretrained import BUILTIN

DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
FORMATS: Mapping[str, Format] = {"safelight": "safelight", "api": "api", "comfy": "ui"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["train"]:
        return _train(given[1:])
    options = _parser().parse_args(given or ["serve", "--open"])
    if options.command == "serve":
        return _serve(options)
    if options.command in remote_options.NAMES:
        from safelight import remote

        return remote.main(options)
    from safelight import commands  # not for `serve`, which must start fast

    if options.command == "convert":
        return commands.convert(options.workflow, options.target, FORMATS[options.to])
    folders = folders_of(options)
    if options.command == "nodes":
        return commands.explain(options.names)
    settings = dict(options.settings)
    if options.command == "check":
        return commands.check(options.workflow, settings, folders)
    folders.create()
    machine = commands.Machine(
        options.device, options.precision, options.memory, tells=not options.no_metadata
    )
    return commands.run(options.workflow, settings, folders, machine, as_json=options.json)


def folders_of(options: argparse.Namespace) -> Folders:
    """Return where the user's files lie."""
    output: Path | None = getattr(options, "output", None)
    return Folders(
        options.home.expanduser().resolve(),
        tuple(folder.expanduser().resolve() for folder in options.models),
        BUILTIN,
        {"output": output.expanduser().resolve()} if output else {},
    )


def _serve(options: argparse.Namespace) -> int:
    """Serve until told to stop."""
    from safelight_server.retention import Retention
    from safelight_server.serve import CannotServe, ServeOptions, Server, run_server

    def tell(server: Server) -> None:
        print(f"Safelight is at {server.url}", flush=True)
        print("Press Ctrl+C to stop it. Accepted jobs are kept.", flush=True)
        if options.open:  # in a thread, for a browser in a terminal comes back only when it ends
            Thread(target=webbrowser.open, args=(server.url,), daemon=True).start()

    folders = folders_of(options)
    try:
        run_server(
            ServeOptions(
                home=folders.home,
                host=options.host,
                port=options.port,
                models=tuple(folders.extra_models),
                builtin=folders.builtin,
                device=options.device,
                precision=options.precision,
                memory_bytes=options.memory,
                token=os.environ.get("SAFELIGHT_TOKEN"),
                allowed_hosts=tuple(options.allow_host),
                disk_cache_bytes=int(options.disk_cache * 2**30),
                webhook_hosts=tuple(options.webhook_host),
                retention=Retention(options.keep_jobs, options.keep_days, options.keep_temp_days),
            ),
            tell,
        )
    except CannotServe as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _train(arguments: Sequence[str]) -> int:
    """Train the embedded model; torch is loaded here and not before."""
    from safelight.training.__main__ import main as train

    return train(arguments, "safelight train", _home() / "training")


def _home() -> Path:
    """Where a user's files lie if nothing is said."""
    home = os.environ.get("SAFELIGHT_HOME") or user_data_path("safelight", appauthor=False)
    return Path(home)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="safelight",
        description="A node-graph workbench for latent diffusion. Without arguments: serve and "
        "open the browser.",
        epilog="Exit codes: 0 done, 1 the run failed, 2 the command or the workflow is wrong.",
    )
    parser.add_argument("--version", action="version", version=f"safelight {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    _add_serve(commands.add_parser("serve", help="serve the canvas and the API"))

    run = commands.add_parser("run", help="run a workflow without a server")
    _add_workflow(run)
    run.add_argument("--output", type=Path, metavar="DIR", help="where to save pictures")
    run.add_argument("--json", action="store_true", help="print the result as JSON")
    run.add_argument(
        "--no-metadata", action="store_true", help="do not write into files how they were made"
    )
    _add_places(run)
    _add_machine(run)

    check = commands.add_parser("check", help="say everything that is wrong with a workflow")
    _add_workflow(check)
    _add_places(check)

    _add_convert(commands.add_parser("convert", help="write a workflow in another format"))

    # Its options are its own: `main` hands them on before they are read here.
    commands.add_parser("train", help="train a part of the embedded model", add_help=False)

    remote_options.add_commands(commands, _setting)

    nodes = commands.add_parser("nodes", help="list the nodes, or explain some")
    nodes.add_argument("names", nargs="*", metavar="NAME", help="class name, as KSampler")
    _add_places(nodes)
    return parser


def _add_serve(serve: argparse.ArgumentParser) -> None:
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    serve.add_argument("--port", type=_port, default=8188, help="port (%(default)s; 0: any)")
    for flag, told in (
        ("--allow-host", "a further name to answer to, such as a proxy's; may be repeated"),
        ("--webhook-host", "a private host that webhooks may call; may be repeated"),
    ):
        serve.add_argument(flag, action="append", default=[], metavar="NAME", help=told)
    serve.add_argument(
        "--disk-cache",
        type=float,
        default=4,
        metavar="GIB",
        help="how many results to keep over restarts, on disk (%(default)s; 0: none)",
    )
    _add_retention(serve)
    serve.add_argument("--open", action="store_true", help="open the canvas in the browser")
    _add_places(serve)
    _add_machine(serve)


def _add_retention(serve: argparse.ArgumentParser) -> None:
    serve.add_argument(
        "--keep-jobs",
        type=_count,
        metavar="N",
        help="forget finished jobs beyond the newest N (else all are remembered)",
    )
    serve.add_argument(
        "--keep-days",
        type=_count,
        metavar="DAYS",
        help="forget finished jobs after so long (else never); saved pictures stay",
    )
    serve.add_argument(
        "--keep-temp-days",
        type=_count,
        default=7,
        metavar="DAYS",
        help="remove temporary pictures after so long (%(default)s)",
    )


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"want a whole number, 0 or more, got {text!r}")
    return int(text)


def _add_convert(convert: argparse.ArgumentParser) -> None:
    _add_file(convert)
    convert.add_argument(
        "target", nargs="?", type=Path, metavar="OUT", help="where to write it (else it is printed)"
    )
    convert.add_argument(
        "--to",
        choices=sorted(FORMATS, reverse=True),
        default="safelight",
        help="Safelight's document, ComfyUI's API prompt, or what its canvas opens (%(default)s)",
    )


def _add_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "workflow", type=Path, metavar="WORKFLOW", help="a JSON file, or a PNG made by one"
    )


def _add_workflow(parser: argparse.ArgumentParser) -> None:
    _add_file(parser)
    parser.add_argument(
        "--set",
        dest="settings",
        type=_setting,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set a parameter (prompt=…) or an input (NODE.INPUT=…); may be repeated",
    )


def _add_places(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--home", type=Path, default=_home(), metavar="DIR", help="your files (%(default)s)"
    )
    parser.add_argument(
        "--models",
        type=_folder,
        action="append",
        default=[],
        metavar="DIR",
        help="a further models folder, such as ComfyUI's; may be repeated",
    )


def _add_machine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", choices=DEVICES, default="auto", help="where to compute")
    parser.add_argument(
        "--precision", choices=PRECISIONS, default="auto", help="auto: the fastest native one"
    )
    parser.add_argument(
        "--memory",
        type=_gibibytes,
        metavar="GIB",
        help="how much memory weights may fill; larger models run slower from their files "
        "(else most of what the device has)",
    )


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"want NAME=VALUE, got {text!r}")
    return name, value


def _gibibytes(text: str) -> int:
    """Return bytes."""
    try:
        size = float(text)
    except ValueError:
        size = -1
    if not 0 <= size < inf:
        raise argparse.ArgumentTypeError(f"want a number of GiB, 0 or more, got {text!r}")
    return int(size * 2**30)


def _folder(text: str) -> Path:
    if not Path(text).expanduser().is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {text}")
    return Path(text)


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"want a port from 0 to 65535, got {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
