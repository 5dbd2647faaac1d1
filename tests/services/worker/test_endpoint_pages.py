"""What a worker shows of its endpoints, to people and to Prometheus."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from claimcheck.commands.up.addresses import HOST
from claimcheck.health import Health
from services.worker.engines.language.states import EndpointState, State
from services.worker.health_port import serving_health
from services.worker.metrics import endpoint_pages
from tests.stack.client import ANSWER_S
from tests.stack.ports import free_port

HEALTHY = EndpointState(
    name="here",
    model="m-1",
    demonstration=False,
    state=State.READY,
    in_flight=3,
    concurrency=8,
    ready_in_s=0.0,
    requests={"answered": 12, "busy": 2},
    input_tokens=700,
    output_tokens=90,
    last_error="429",
)
DENIED = EndpointState(
    name="there",
    model='m "2"',
    demonstration=True,
    state=State.FAILED,
    in_flight=0,
    concurrency=1,
    ready_in_s=240.0,
    requests={"denied": 1},
    input_tokens=0,
    output_tokens=0,
    last_error="401",
)


@pytest.fixture
async def shown() -> AsyncIterator[httpx.AsyncClient]:
    """The health port of a worker with two endpoints."""
    port = free_port()
    pages = endpoint_pages(lambda: [HEALTHY, DENIED])
    async with (
        serving_health(Health({}), HOST, port, pages),
        httpx.AsyncClient(base_url=f"http://{HOST}:{port}", verify=False, timeout=ANSWER_S) as client,
    ):
        yield client


async def test_people_read_every_endpoint_as_json(shown: httpx.AsyncClient) -> None:
    here, there = (await shown.get("/endpoints")).raise_for_status().json()["endpoints"]
    assert (here["name"], here["state"], here["ready_in_s"]) == ("here", "ready", 0.0)
    assert here["requests"] == {"answered": 12, "busy": 2}
    assert (there["state"], there["ready_in_s"], there["last_error"]) == ("failed", 240.0, "401")


async def test_prometheus_reads_states_requests_and_tokens(shown: httpx.AsyncClient) -> None:
    answer = (await shown.get("/metrics")).raise_for_status()
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    read = {
        (sample.name.removeprefix("claimcheck_endpoint_"), *_labels(sample)): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert {labels[1:]: value for labels, value in read.items() if labels[0] == "state"} == {
        ("here", "m-1", "ready"): 1,
        ("here", "m-1", "cooling"): 0,
        ("here", "m-1", "resting"): 0,
        ("here", "m-1", "failed"): 0,
        ("there", 'm "2"', "ready"): 0,
        ("there", 'm "2"', "cooling"): 0,
        ("there", 'm "2"', "resting"): 0,
        ("there", 'm "2"', "failed"): 1,
    }
    assert read["requests_total", "here", "m-1", "answered"] == 12
    assert read["tokens_total", "here", "m-1", "input"] == 700
    assert read["in_flight", "here", "m-1"] == 3
    assert read["concurrency", "there", 'm "2"'] == 1


def _labels(sample: Sample) -> Iterator[str]:
    """Endpoint and model first, then what tells the samples of one endpoint apart."""
    names = sorted(sample.labels, key=lambda name: (name not in ("endpoint", "model"), name))
    return (sample.labels[name] for name in names)


async def test_worker_without_endpoints_shows_none() -> None:
    port = free_port()
    async with (
        serving_health(Health({}), HOST, port, endpoint_pages(list)),
        httpx.AsyncClient(base_url=f"http://{HOST}:{port}", verify=False, timeout=ANSWER_S) as client,
    ):
        assert (await client.get("/endpoints")).json() == {"endpoints": []}
        assert "claimcheck_endpoint_state{" not in (await client.get("/metrics")).text
