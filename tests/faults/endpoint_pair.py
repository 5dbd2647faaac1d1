"""Two scripted endpoints, a system that may ask either, a load of jobs on it, and what all of them came to."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.conftest import RunSystem
from tests.stack.client import Body, Client
from tests.stack.endpoints import RunEndpoint, ScriptedEndpoint, variables
from tests.stack.names import NameStock
from tests.stack.services import Services
from tests.stack.stores import Stores
from tests.stack.system import System
from tests.stack.waiting import until

WORKER = "language-1"
MODELS = "gpt-4o-mini", "gpt-4o"
KEY = "the-right-key"
ANSWER_TAKES_S = 0.1
CALL_S = 5.0
"""Longer than a process may stand still: only an endpoint that a rule strikes is ever too slow."""
REST_MAX_S = 2.0
CONCURRENCY = 3
"""Of each endpoint. One that hangs is noticed once so many requests hang."""
ALIKE = {"concurrency": CONCURRENCY, "context_tokens": 128_000}  # Said, so that the contexts are known to be the same.
QUICK = {
    "CLAIMCHECK_LANGUAGE__CALL_S": str(CALL_S),
    "CLAIMCHECK_LANGUAGE__REST_FIRST_S": "0.25",
    "CLAIMCHECK_LANGUAGE__REST_MAX_S": str(REST_MAX_S),
    "CLAIMCHECK_JOB__BACKOFF_FIRST_S": "0.5",
    # For deliveries whose lease runs out alone: whatever an endpoint does, `succeeded` expects the first attempt.
    "CLAIMCHECK_JOB__MAX_ATTEMPTS": "3",
    "CLAIMCHECK_WEB__DEPENDENCY_TIMEOUT_S": "8",
}

WAYS: dict[str, dict[str, Any]] = {
    "429 in seconds": {"action": "fail", "status": 429, "retry_after_s": 2},
    "429 by date": {"action": "fail", "status": 429, "retry_after_s": 2, "retry_after_as": "date"},
    "500": {"action": "fail", "status": 500},
    "hangs": {"action": "hang"},
    "too slow": {"action": "drip", "drip_s": 12},
    "closes": {"action": "close"},
    "truncates": {"action": "truncate"},
    "broken body": {"action": "body", "body": '{"choices": ['},
}
"""How services fail, as rules of a scripted endpoint."""


@dataclass(frozen=True)
class Pair:
    """The system, its client, what it stores, and its endpoints."""

    system: System
    client: Client
    stores: Stores
    first: ScriptedEndpoint
    second: ScriptedEndpoint

    @property
    def endpoints(self) -> tuple[ScriptedEndpoint, ScriptedEndpoint]:
        """Both."""
        return self.first, self.second

    def under_way(self) -> int:
        """How many requests wait for an answer, at both endpoints."""
        under_way: int = sum(endpoint.counts()["under_way"] for endpoint in self.endpoints)
        return under_way

    def forget(self) -> None:
        """No rule, and no request of an earlier test."""
        for endpoint in self.endpoints:
            endpoint.clear()

    def submit(self, text: str = "Who are you?", **options: Any) -> str:
        """Hand in a prompt; the job's id."""
        body = {"task": "complete", "input": {"text": text}, "options": options}
        answer = self.client.process.post("/v1/jobs", json=body)
        assert answer.status_code == httpx.codes.ACCEPTED, answer.text
        job_id: str = answer.json()["id"]
        return job_id

    def pid(self, worker: str = WORKER) -> int:
        """The worker's process id."""
        process = self.system.programs[worker].process
        assert process is not None
        return process.pid

    def logs(self) -> str:
        """What all workers have said."""
        return "".join(self.system.logs(name) for name in self.system.programs if name.startswith("language"))

    def succeeded(self, job_ids: list[str], *, deadline_s: float = 30.0) -> list[Body]:
        """Wait for the end of each; every one a success, on its first attempt, with one result."""
        ends_at = time.monotonic() + deadline_s
        jobs = [self.client.until_ended(each, deadline_s=max(1.0, ends_at - time.monotonic())) for each in job_ids]
        assert [job for job in jobs if (job["status"], job["attempt"]) != ("succeeded", 1)] == []
        return jobs

    def check_usage(self, jobs: list[Body], *, never_sent: int = 0) -> None:
        """The results say of usage what the endpoints served: every answer once, and none that was not given.

        The endpoints must have served nothing else, and every answer must have been as long as any other.
        `never_sent`: at most so many requests may have been counted by workers that died before they sent them.
        """
        until(lambda: self.under_way() == 0, "whatever was left is noted")
        counts = [endpoint.counts() for endpoint in self.endpoints]
        answered, broken, left = (
            sum(count["outcomes"].get(outcome, 0) for count in counts) for outcome in ("answered", "broken", "left")
        )
        served = sum(count["prompt_tokens"] for count in counts), sum(count["completion_tokens"] for count in counts)
        requests, lost, tokens_in, tokens_out = (
            sum(job["result"]["usage"][name] for job in jobs)
            for name in ("requests", "lost_requests", "input_tokens", "output_tokens")
        )
        # A whole answer that came after the worker's time limit is a lost one.
        too_late = answered - requests
        assert (requests, too_late >= 0) == (len(jobs), True)
        assert 0 <= lost - (broken + left + too_late) <= never_sent
        assert (tokens_in * answered, tokens_out * answered) == (served[0] * requests, served[1] * requests)


@dataclass
class Load:
    """Jobs that come one after another, for as long as the context lasts."""

    submit: Callable[[], str]
    every_s: float
    job_ids: list[str] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)

    @contextlib.contextmanager
    def running(self) -> Iterator[Load]:
        """Submit in a thread. Fails if a submission did."""
        over = threading.Event()
        thread = threading.Thread(target=self._submit_until, args=(over,))
        thread.start()
        try:
            yield self
        finally:
            over.set()
            thread.join()
        assert self.failures == []

    def _submit_until(self, over: threading.Event) -> None:
        while not over.wait(self.every_s):
            try:
                self.job_ids.append(self.submit())
            except BaseException as failure:  # the thread's only way to tell
                self.failures.append(failure)
                return


@contextlib.contextmanager
def running_pair(
    run_system: RunSystem,
    run_endpoint: RunEndpoint,
    services: Services,
    name_stock: NameStock,
    *,
    first: Mapping[str, Any] | None = None,
    second: Mapping[str, Any] | None = None,
    language_workers: int = 1,
    env: Mapping[str, str] | None = None,
) -> Iterator[Pair]:
    """`first` and `second` are fields of `language.endpoints`; the system is ready inside and gone after."""
    names = name_stock.take()
    how = {"models": [*MODELS], "keys": [KEY], "delay_s": ANSWER_TAKES_S}
    with run_endpoint(**how) as one, run_endpoint(**how) as two:
        listed = [
            endpoint.endpoint_settings(name, **{**ALIKE, **(fields or {})})
            for endpoint, name, fields in ((one, "first", first), (two, "second", second))
        ]
        with (
            run_system(
                workers=0,
                language_workers=language_workers,
                names=names,
                env={**QUICK, **variables(*listed), **(env or {})},
            ) as system,
            Client(system.process_url, system.status_url) as client,
        ):
            yield Pair(system, client, Stores(services, names, "language"), one, two)


def share_of_first(pair: Pair, *, since: float, requests: int) -> float | None:
    """The first endpoint's share of the last so many requests; None while there were fewer since that moment."""
    asked = sorted(
        (request["at"], endpoint is pair.first)
        for endpoint in pair.endpoints
        for request in endpoint.requests()
        if request["at"] >= since
    )
    return sum(first for _, first in asked[-requests:]) / requests if len(asked) >= requests else None
