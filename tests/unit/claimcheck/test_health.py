"""Ready, degraded, draining: what a program says of its dependencies."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field

import pytest

from claimcheck import health
from claimcheck.errors import QueueUnavailable
from claimcheck.health import Health
from claimcheck.representation import Answer

DEADLINE_S = 30.0


@dataclass
class Dependency:
    """Answers, or raises what it is given; counts how often it was asked."""

    fails: Exception | None = None
    asked: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    async def check(self) -> None:
        self.asked.release()
        if self.fails is not None:
            raise self.fails

    async def until_noted(self) -> None:
        """Return once an answer from now on has been noted: the second question comes after the first one's answer."""
        while not self.asked.locked():
            await self.asked.acquire()
        async with asyncio.timeout(DEADLINE_S):
            await self.asked.acquire()
            await self.asked.acquire()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_EVERY_S", 0.01)


def starting(*missing: str) -> Answer:
    return Answer(503, {"status": "starting", "waiting_for": [*missing]})


def ready(*degraded: str) -> Answer:
    return Answer(200, {"status": "ready", "degraded": [*degraded]})


async def test_program_is_ready_once_every_dependency_has_answered_once() -> None:
    well, ill = Dependency(), Dependency(QueueUnavailable("gone"))
    watched = Health({"records": well.check, "queue": ill.check})
    assert watched.answer() == starting("queue", "records")
    async with watched.watching():
        await well.until_noted()
        assert watched.answer() == starting("queue")
        ill.fails = None
        await ill.until_noted()
        assert watched.answer() == ready()
        ill.fails = QueueUnavailable("gone again")
        await ill.until_noted()
        assert watched.answer() == ready("queue")
    assert watched.answer() == Answer(503, {"status": "draining", "waiting_for": []})


async def test_check_that_raises_anything_is_logged_once_and_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    broken = Dependency(ValueError("Incorrect padding"))
    watched = Health({"storage": broken.check})
    with caplog.at_level(logging.INFO, logger=health.__name__):
        async with watched.watching():
            await broken.until_noted()
            await broken.until_noted()
            assert watched.answer() == starting("storage")
            broken.fails = None
            await broken.until_noted()
            assert watched.answer() == ready()
    said = [(record.message, record.levelname) for record in caplog.records]
    assert said == [
        ("dependency.check_failed", "ERROR"),
        ("dependency.unavailable", "WARNING"),
        ("dependency.available", "INFO"),
    ]
    assert [vars(record).get("detail") for record in caplog.records] == [None, "ValueError", None]
    assert caplog.records[0].exc_info


async def test_another_cause_is_told_anew_and_the_same_one_is_not(caplog: pytest.LogCaptureFixture) -> None:
    queue = Dependency(QueueUnavailable("nobody listens"))
    watched = Health({"queue": queue.check})
    with caplog.at_level(logging.INFO, logger=health.__name__):
        async with watched.watching():
            await queue.until_noted()
            await queue.until_noted()
            queue.fails = QueueUnavailable("the key is refused")
            await queue.until_noted()
    details = [vars(record).get("detail") for record in caplog.records]
    assert details == ["nobody listens", "the key is refused"]


async def test_program_is_well_while_every_dependency_answers() -> None:
    records, queue = Dependency(), Dependency(QueueUnavailable("gone"))
    watched = Health({"records": records.check, "queue": queue.check})
    async with watched.watching():
        await records.until_noted()
        assert not watched.well
        queue.fails = None
        async with asyncio.timeout(DEADLINE_S):
            await watched.wait_well()
        records.fails = QueueUnavailable("gone")
        await records.until_noted()
        assert not watched.well
        records.fails = None
        async with asyncio.timeout(DEADLINE_S):
            await watched.wait_well()


async def test_check_that_never_returns_counts_as_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_S", 0.05)
    hangs = asyncio.Event()

    async def check() -> None:
        if hangs.is_set():
            await asyncio.Event().wait()

    watched = Health({"storage": check})
    async with watched.watching():
        async with asyncio.timeout(DEADLINE_S):
            await watched.wait_well()
        hangs.set()
        async with asyncio.timeout(DEADLINE_S):
            while watched.well:  # noqa: ASYNC110 - nothing announces that it is no longer
                await asyncio.sleep(0.01)
        assert watched.answer() == ready("storage")
        hangs.clear()
        async with asyncio.timeout(DEADLINE_S):
            await watched.wait_well()
