"""A server as users start it, with the embedded model, for the clients that there are."""

import time
from collections.abc import Iterator
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from tests.e2e.serving import Running, serving

WORKER_LIMIT_S = 120


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server for the stories of a module."""
    with serving(tmp_path_factory.mktemp("home"), "--device", "cpu") as running:
        _wait_for_nodes(running)
        yield running


def _wait_for_nodes(server: Running) -> None:
    """Wait until the worker has said what nodes there are; on a busy machine that takes a while."""
    until = time.monotonic() + WORKER_LIMIT_S
    while (status := _status(f"{server.url}/api/schema")) != 200:
        assert (status, time.monotonic() < until) == (503, True)


def _status(address: str) -> int:
    """Ask for a page, which may take its time; return the status of the answer."""
    try:
        with urlopen(address, timeout=WORKER_LIMIT_S) as answer:
            return int(answer.status)
    except HTTPError as refused:
        with refused:
            return refused.code
