"""A language engine inside the test, with the real ledger, and two endpoints of one scripted service.

Endpoint `a` has the key `a`, `b` the key `b`; rules tell them apart by it.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from claimcheck.commands.up.provision import provision
from claimcheck.job import Job, Upload, new_job
from claimcheck.language import Asked
from claimcheck.records import Records
from claimcheck.settings import LanguageSettings, Settings
from services.worker.drain import Drain
from services.worker.engines.language import EndpointState, LanguageEngine, Question
from services.worker.patience import Patience
from services.worker.stage_ledger import StageLedger
from tests.stack.endpoints import RunEndpoint, ScriptedEndpoint
from tests.stack.names import NameStock
from tests.stack.services import Services
from tests.stack.waiting import DEADLINE_S

MODEL = "gpt-4o-mini"
VERSION = "gpt-4o-mini-2024-07-18"
KEYS = ("a", "b")
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}


def question(text: str = "How many?", **fields: Any) -> Question:
    """A question called `answer`."""
    return Question(**{"name": "answer", "messages": [{"role": "user", "content": text}], **fields})


class Begun:
    """Hears of each of `count` questions that it is begun. `held`: none goes on before all are."""

    def __init__(self, count: int, *, held: bool = False) -> None:
        self._left, self._held = count, held
        self._all = asyncio.Event()

    async def note(self) -> None:
        """One more is begun."""
        self._left -= 1
        if not self._left:
            self._all.set()
        if self._held:
            await self.until_all()

    async def until_all(self) -> None:
        """Return once all are begun. Each that was not held has gone on without a pause, to wait for an endpoint."""
        async with asyncio.timeout(DEADLINE_S):
            await self._all.wait()


class WatchedLedger(StageLedger):
    """Tells when a question is begun, before it asks anybody."""

    def __init__(self, job: Job, records: Records, begun: Begun | None) -> None:
        patience = Patience(Drain(25.0))
        super().__init__(job, "language", None, items=records.asked, patience=patience, ttl_s=3600)
        self._begun = begun

    async def begin(self, name: str) -> Asked:
        """As it is, and then tell."""
        asked = await super().begin(name)
        if self._begun is not None:
            await self._begun.note()
        return asked


@dataclass
class Lab:
    """What a test of the engine needs."""

    service: ScriptedEndpoint
    records: Records
    _engines: list[LanguageEngine] = field(default_factory=list)

    def endpoint(self, name: str = "a", **fields: Any) -> dict[str, Any]:
        """An endpoint of the settings; its key is its name."""
        return self.service.endpoint_settings(name, **{"key": name, **fields})

    def engine(self, *endpoints: dict[str, Any], **fields: Any) -> LanguageEngine:
        """An engine with these endpoints, or with `a` and then `b`, which has the higher priority number."""
        chosen = endpoints or (self.endpoint("a"), self.endpoint("b", priority=1))
        quick = {"call_s": 60.0, "rest_first_s": 0.2, "rest_max_s": 0.4, "failures_to_open": 2}
        return self.engine_of(LanguageSettings.model_validate({"endpoints": chosen, **quick, **fields}))

    def engine_of(self, settings: LanguageSettings) -> LanguageEngine:
        """An engine with these settings."""
        engine = LanguageEngine(settings)
        self._engines.append(engine)
        return engine

    def ledger(self, job: Job | None = None, *, begun: Begun | None = None) -> StageLedger:
        """The ledger of one delivery of a job, or of a job that nobody has asked anything for."""
        return WatchedLedger(job or new(), self.records, begun)

    async def stored(self, job: Job) -> Asked:
        """The one question of a job, as it is stored."""
        (asked,) = await self.records.asked.of_job(job)
        return asked

    def asked_by_key(self) -> Counter[str]:
        """Requests that the service has got, by endpoint."""
        return Counter(request["key"] for request in self.service.requests())

    def bodies(self) -> list[dict[str, Any]]:
        """What the service was sent."""
        return [request["body"] for request in self.service.requests()]

    async def close(self) -> None:
        """Close every engine."""
        for engine in self._engines:
            await engine.close()


def new() -> Job:
    """A job; its record does not matter here."""
    now = datetime.now(UTC)
    return new_job(
        tenant="default",
        job_id=str(uuid.uuid4()),
        task="complete",
        options={},
        upload=Upload(blob="none", size_bytes=0, sha256=""),
        stage="language",
        epoch=secrets.token_hex(4),
        now=now,
        deadline_at=now + timedelta(hours=1),
    )


def state_of(engine: LanguageEngine, name: str = "a") -> EndpointState:
    """How an endpoint stands."""
    return next(state for state in engine.states() if state.name == name)


@pytest.fixture(scope="module")
def service(run_endpoint: RunEndpoint) -> Iterator[ScriptedEndpoint]:
    """The service of both endpoints."""
    with run_endpoint(models=[f"{MODEL}={VERSION}"], keys=KEYS) as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def stored_in(services: Services, name_stock: NameStock) -> Settings:
    """Where ledgers are kept."""
    settings = services.settings(name_stock.take())
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(provision(settings))).result()
    return settings


@pytest.fixture
async def lab(service: ScriptedEndpoint, stored_in: Settings) -> AsyncIterator[Lab]:
    """Without a rule or a request of another test."""
    service.clear()
    records = Records(stored_in.records, timeout_s=10.0)
    async with contextlib.AsyncExitStack() as closing:
        closing.push_async_callback(records.close)
        lab = Lab(service, records)
        closing.push_async_callback(lab.close)
        yield lab


def events(caplog: pytest.LogCaptureFixture, *names: str) -> Sequence[str]:
    """The events of these names that were logged, in order."""
    return [record.getMessage() for record in caplog.records if record.getMessage() in names]
