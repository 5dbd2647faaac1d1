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

DEADLINE_S = 5.0


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
