import re

import pytest
from tests.server.visitor import Visitor, through, walk

from safelight_server.metrics import Metrics

SAMPLE = re.compile(r'^[a-z_]+(\{[a-z]+="[^"]*"\})? -?[0-9.e+-]+$')


async def figures(visitor: Visitor) -> dict[str, float]:
    """The samples by name and labels; every line must be one, or a comment."""
    async with visitor.session.get("/metrics") as answer:
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        lines = (await answer.text()).splitlines()
    samples = [line for line in lines if not line.startswith("# ")]
    assert all(SAMPLE.match(line) for line in samples), samples
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in samples)}


async def test_jobs_and_nodes_are_counted(visitor: Visitor) -> None:
    """By how they ended, by class and time, and apart where they came from the cache."""
    for prompt in (walk(), walk(), through("Fail")):
        await visitor.submit(prompt)
    await visitor.idle()
    found = await figures(visitor)
    assert found['safelight_jobs{state="done"}'] == 2
    assert found['safelight_jobs{state="pending"}'] == 0
    assert found['safelight_jobs_ended_total{state="done"}'] == 2
    assert found['safelight_jobs_ended_total{state="failed"}'] == 1
    assert found['safelight_node_runs_total{class="Walk"}'] == 1
    assert found["safelight_nodes_cached_total"] == 4
    assert found["safelight_job_seconds_count"] == 3
    assert found['safelight_job_seconds_bucket{le="+Inf"}'] == 3
    assert found["safelight_worker_ready"] == 1
    assert found['safelight_http_answers_total{status="200"}'] >= 4


async def test_no_request_makes_up_a_label(visitor: Visitor) -> None:
    """Whatever verb it uses."""
    async with visitor.session.request("PROPFIND", "/coffee"):
        pass
    assert (await figures(visitor))['safelight_http_requests_total{method="other"}'] == 1


@pytest.mark.parametrize(("seconds", "bound"), [(0.05, "0.1"), (0.1, "0.1"), (0.2, "0.3")])
def test_a_bucket_holds_what_took_at_most_so_long(seconds: float, bound: str) -> None:
    """Its bound included, and so does every later one."""
    metrics = Metrics()
    metrics.job_ended("done", seconds)
    lines = metrics.text([]).splitlines()
    buckets = [line for line in lines if line.startswith("safelight_job_seconds_bucket")]
    filled = [line.partition("le=")[2] for line in buckets if line.endswith(" 1")]
    assert filled[0] == f'"{bound}"}} 1'
    assert filled[-1] == '"+Inf"} 1'


def test_labels_are_escaped() -> None:
    """A quote, a backslash or a new line ends no label."""
    text = Metrics().text([("a", "b", [({"c": 'x"\\\n'}, 1)])])
    assert 'a{c="x\\"\\\\\\n"} 1\n' in text
