"""How long a worker asks a dependency that does not answer."""

from __future__ import annotations

import time

import pytest

from claimcheck.errors import BlobMissing, BlobsUnavailable, LeaseLost
from claimcheck.failures import RetryPolicy
from services.worker import patience
from services.worker.drain import Drain
from services.worker.patience import Patience
from tests.stack.waiting import eventually


class Dependency:
    """Fails so many times, then answers."""

    def __init__(self, failures: int, error: Exception | None = None) -> None:
        self._failures, self._error = failures, error or BlobsUnavailable("away")
        self.asked = 0

    async def ask(self) -> str:
        self.asked += 1
        if self.asked <= self._failures:
            raise self._error
        return "answer"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "BACKOFF", RetryPolicy(1, backoff_first_s=0.001, backoff_max_s=0.001))


async def test_dependency_is_asked_again_until_it_answers() -> None:
    dependency = Dependency(3)
    assert await Patience(Drain(25)).ask(dependency.ask) == "answer"
    assert dependency.asked == 4


async def test_call_is_not_begun_again_beyond_its_limit() -> None:
    dependency = Dependency(1000)
    with pytest.raises(BlobsUnavailable):
        await Patience(Drain(25)).ask(dependency.ask, limit_s=0.2)
    assert 1 < dependency.asked < 1000


async def test_limit_of_nothing_asks_once() -> None:
    dependency = Dependency(1)
    with pytest.raises(BlobsUnavailable):
        await Patience(Drain(25)).ask(dependency.ask, limit_s=0)
    assert dependency.asked == 1


async def test_limit_begins_at_the_first_failure_however_long_the_call_takes() -> None:
    dependency, began_at = Dependency(1), time.monotonic()

    async def is_over() -> bool:
        return time.monotonic() - began_at > 0.2

    async def download() -> str:
        await eventually(is_over, "the download has taken longer than the limit")
        return await dependency.ask()

    assert await Patience(Drain(25)).ask(download, limit_s=0.1) == "answer"


async def test_other_errors_are_answers() -> None:
    dependency = Dependency(1, BlobMissing("gone"))
    with pytest.raises(BlobMissing):
        await Patience(Drain(25)).ask(dependency.ask)


async def test_drain_that_is_over_leaves_the_rest_to_the_lease() -> None:
    drain, dependency = Drain(0.0), Dependency(1000)
    drain.begin()
    with pytest.raises(LeaseLost):
        await Patience(drain).ask(dependency.ask)
    assert dependency.asked <= 2
