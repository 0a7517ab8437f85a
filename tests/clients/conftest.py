"""A server as users start it, with the embedded model, for the clients that there are."""

from collections.abc import Iterator

import pytest
from tests.e2e.serving import Running, serving, wait_for_nodes


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server for the stories of a module."""
    with serving(tmp_path_factory.mktemp("home"), "--device", "cpu") as running:
        wait_for_nodes(running)
        yield running
