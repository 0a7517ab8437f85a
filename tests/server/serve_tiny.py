"""A server in a process of its own, for stories in which it is killed: `serve_tiny.py HOME`."""

import sys
from pathlib import Path

from safelight_server.serve import ServeOptions, Server, run_server


def tell(server: Server) -> None:
    """Say where it answers, in one line."""
    print(server.address, flush=True)


if __name__ == "__main__":
    run_server(
        ServeOptions(home=Path(sys.argv[1]), port=0, catalog="tests.server.tiny_nodes"), tell
    )
