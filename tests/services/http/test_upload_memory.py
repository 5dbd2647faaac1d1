"""The process API's memory while uploads stream through it: a matter of constants, not of their size or number."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.conftest import RunSystem
from tests.services.http.streaming import post_form, post_raw
from tests.stack.memory import MB, MemoryMeter
from tests.stack.system import System

BLOCK_MB = 4.2
AHEAD = 4
AT_ONCE = 8
MARGIN_MB = 24.0  # For what lies between socket and block, and for what the allocator keeps.


@pytest.fixture
def fresh(run_system: RunSystem) -> Iterator[System]:
    """A process API that has taken one small upload."""
    with run_system(workers=0, env={"CLAIMCHECK_BLOBS__STAGED_BLOCKS": str(AHEAD)}) as system:
        assert post_form(system.process_url, 1000).status_code == 202
        yield system


def meter_of(system: System) -> MemoryMeter:
    """Watches the process API."""
    process = system.programs["process-api"].process
    assert process is not None
    return MemoryMeter(process.pid)


@pytest.mark.parametrize("post", [post_form, post_raw], ids=["form", "raw"])
def test_memory_does_not_grow_with_the_size_of_an_upload(
    fresh: System, post: Callable[[str, int], httpx.Response]
) -> None:
    meter = meter_of(fresh)
    with meter.running():
        assert post(fresh.process_url, 16 * MB).status_code == 202
    small_mb = meter.growth_mb
    with meter.running():
        assert post(fresh.process_url, 128 * MB).status_code == 202
    assert small_mb <= 3 * BLOCK_MB + MARGIN_MB
    assert meter.growth_mb <= small_mb + 8


def test_uploads_at_once_share_the_blocks_besides_their_own(fresh: System) -> None:
    meter = meter_of(fresh)
    with meter.running(), ThreadPoolExecutor(AT_ONCE) as threads:
        answers = list(threads.map(lambda _: post_form(fresh.process_url, 16 * MB), range(AT_ONCE)))
    assert [answer.status_code for answer in answers] == [202] * AT_ONCE
    assert meter.growth_mb <= (AT_ONCE + AHEAD) * BLOCK_MB + MARGIN_MB
