"""How the endpoints of one worker stand: /endpoints for people, /metrics for Prometheus. Names and numbers only."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Iterator, Sequence

from aiohttp import web
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from services.worker.engines.language.states import EndpointState, State

States = Callable[[], Sequence[EndpointState]]

OF_ENDPOINT = ("endpoint", "model")


def endpoint_pages(states: States) -> list[web.RouteDef]:
    """The two pages. `states`: the endpoints as they stand now."""
    registry = CollectorRegistry()
    registry.register(EndpointMetrics(states))
    return [web.get("/endpoints", _shown(states)), web.get("/metrics", _scraped(registry))]


class EndpointMetrics(Collector):
    """Reads the endpoints at each scrape, so that nothing is counted twice over: here and where requests are made."""

    def __init__(self, states: States) -> None:
        self._states = states

    def collect(self) -> Iterator[Metric]:
        """Every endpoint's numbers."""
        states = self._states()
        yield _state(states)
        yield _requests(states)
        yield _tokens(states)
        yield _in_flight(states)
        yield _concurrency(states)


def _state(states: Sequence[EndpointState]) -> Metric:
    labels = (*OF_ENDPOINT, "state")
    family = GaugeMetricFamily("claimcheck_endpoint_state", "1 for the state that the endpoint is in", labels=labels)
    for endpoint in states:
        for state in State:
            family.add_metric([*_of(endpoint), state.value], endpoint.state == state)
    return family


def _requests(states: Sequence[EndpointState]) -> Metric:
    labels = (*OF_ENDPOINT, "outcome")
    family = CounterMetricFamily("claimcheck_endpoint_requests", "Requests that have ended, by how", labels=labels)
    for endpoint in states:
        for outcome, count in sorted(endpoint.requests.items()):
            family.add_metric([*_of(endpoint), outcome], count)
    return family


def _tokens(states: Sequence[EndpointState]) -> Metric:
    labels = (*OF_ENDPOINT, "direction")
    family = CounterMetricFamily("claimcheck_endpoint_tokens", "Tokens of answered requests", labels=labels)
    for endpoint in states:
        family.add_metric([*_of(endpoint), "input"], endpoint.input_tokens)
        family.add_metric([*_of(endpoint), "output"], endpoint.output_tokens)
    return family


def _in_flight(states: Sequence[EndpointState]) -> Metric:
    family = GaugeMetricFamily("claimcheck_endpoint_in_flight", "Requests under way", labels=OF_ENDPOINT)
    for endpoint in states:
        family.add_metric(_of(endpoint), endpoint.in_flight)
    return family


def _concurrency(states: Sequence[EndpointState]) -> Metric:
    text = "Most requests of this worker under way"
    family = GaugeMetricFamily("claimcheck_endpoint_concurrency", text, labels=OF_ENDPOINT)
    for endpoint in states:
        family.add_metric(_of(endpoint), endpoint.concurrency)
    return family


def _of(state: EndpointState) -> list[str]:
    return [state.name, state.model]


def _shown(states: States) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def shown(request: web.Request) -> web.Response:
        return web.json_response({"endpoints": [dataclasses.asdict(state) for state in states()]})

    return shown


def _scraped(registry: CollectorRegistry) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def scraped(request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return scraped
