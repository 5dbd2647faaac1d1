"""Who sees which version: lagging replicas, session tokens, levels."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azure_local_emulators.cosmos.consistency import LaggingReplica, lsn_in
from azure_local_emulators.cosmos.errors import ServiceError
from tests.contract.cosmos.conftest import LONG_STALENESS_S, STALENESS_S

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from azure_local_emulators.process import EmulatorProcess
    from tests.contract.cosmos.conftest import Box, Opener, Refused

    WaitUntil = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]

KEY = ["default", "j1"]


def job(n: int) -> dict[str, Any]:
    return {"id": "job", "tenant": "default", "job_id": "j1", "n": n}


@pytest.fixture
async def writer(far_behind: EmulatorProcess, open_desk: Opener) -> Box:
    """A container in an account whose replicas lag."""
    return await (await open_desk(far_behind)).box()


@pytest.fixture
async def stranger(far_behind: EmulatorProcess, open_desk: Opener, writer: Box) -> Box:
    """The same container, seen by a client that knows nothing of the writer's session."""
    return await same(far_behind, open_desk, writer)


async def same(emulator: EmulatorProcess, open_desk: Opener, box: Box, **options: Any) -> Box:
    database = await (await open_desk(emulator, **options)).database()
    return type(box)(database.get_container_client(box.container.id))


async def test_a_session_reads_its_own_writes(writer: Box) -> None:
    await writer.create(job(0))
    for n in range(1, 4):
        await writer.upsert(job(n))
        assert (await writer.read("job", KEY))["n"] == n
    assert await writer.query("SELECT VALUE c.n FROM c", partition_key=KEY) == [3]


async def test_another_client_does_not_see_a_fresh_item(writer: Box, stranger: Box, refused: Refused) -> None:
    await writer.create(job(0))
    assert await refused(stranger.read("job", KEY)) == (404, 0)
    assert await stranger.query("SELECT * FROM c", partition_key=KEY) == []


async def test_another_client_sees_an_item_once_the_replica_has_it(
    lagging: EmulatorProcess, open_desk: Opener, wait_until: WaitUntil
) -> None:
    writer = await (await open_desk(lagging)).box()
    stranger, began_at = await same(lagging, open_desk, writer), time.monotonic()
    await writer.create(job(0))

    async def visible() -> bool:
        return bool(await stranger.query("SELECT * FROM c", partition_key=KEY))

    await wait_until(visible)
    assert time.monotonic() - began_at >= STALENESS_S
    assert (await stranger.read("job", KEY))["n"] == 0


async def test_another_client_sees_the_version_before_and_the_deleted_item(
    start: Callable[..., EmulatorProcess], open_desk: Opener, refused: Refused, tmp_path: Path
) -> None:
    first = start("--data", str(tmp_path))
    box = await (await open_desk(first)).box()
    await box.create(job(0))
    first.kill()
    # What a restart finds is old.
    again = start("--data", str(tmp_path), "--staleness-ms", str(LONG_STALENESS_S * 1000))
    writer, stranger = await same(again, open_desk, box), await same(again, open_desk, box)
    await writer.upsert(job(1))
    await writer.delete("job", KEY)
    assert (await stranger.read("job", KEY))["n"] == 0
    assert await stranger.query("SELECT VALUE c.n FROM c", partition_key=KEY) == [0]
    assert await refused(writer.read("job", KEY)) == (404, 0)


async def test_conditions_are_judged_on_the_latest_version(writer: Box, stranger: Box, refused: Refused) -> None:
    await writer.create(job(0))
    assert await refused(stranger.create(job(0))) == (409, 0)
    patched = await stranger.patch(
        "job", KEY, [{"op": "incr", "path": "/n", "value": 1}], filter_predicate="FROM c WHERE c.n = 0"
    )
    assert patched["n"] == 1


async def test_a_refused_create_tells_the_session_enough_to_read_the_item(
    writer: Box, stranger: Box, refused: Refused
) -> None:
    await writer.create(job(0))
    assert await refused(stranger.create(job(1))) == (409, 0)
    assert (await stranger.read("job", KEY))["n"] == 0


async def test_a_strong_account_never_lags(strong: EmulatorProcess, open_desk: Opener) -> None:
    writer = await (await open_desk(strong)).box()
    reader = await same(strong, open_desk, writer)
    for n in range(5):
        await writer.upsert(job(n))
        assert (await reader.read("job", KEY))["n"] == n
        assert await reader.query("SELECT VALUE c.n FROM c", partition_key=KEY) == [n]


async def test_a_client_may_ask_for_less_than_the_account_gives(
    far_behind: EmulatorProcess, open_desk: Opener, writer: Box, refused: Refused
) -> None:
    weak = await same(far_behind, open_desk, writer, consistency_level="Eventual")
    await weak.create(job(0))
    assert await refused(weak.read("job", KEY)) == (404, 0)


async def test_a_client_cannot_ask_for_more_than_the_account_gives(
    far_behind: EmulatorProcess, open_desk: Opener, writer: Box, refused: Refused
) -> None:
    stronger = await same(far_behind, open_desk, writer, consistency_level="Strong")
    assert await refused(stronger.read("job", KEY)) == (400, 0)


async def test_a_session_token_from_the_future_is_404_with_1002(writer: Box, refused: Refused) -> None:
    await writer.create(job(0))
    tokens = ",".join(f"{range_id}:-1#999" for range_id in (0, 1))
    assert await refused(writer.read("job", KEY, session_token=tokens)) == (404, 1002)


@pytest.mark.parametrize(
    ("token", "lsn"), [("0:-1#5", 5), ("1:-1#7,0:-1#6", 6), ("0:5", 5), ("1:-1#7", 0), ("0:1#9#4=8", 9)]
)
def test_a_session_token_names_a_write_for_each_range(token: str, lsn: int) -> None:
    assert lsn_in(token, "0") == lsn


@given(st.text(max_size=20))
def test_any_session_token_is_read_or_refused(token: str) -> None:
    with contextlib.suppress(ServiceError):
        assert lsn_in(token, "0") >= 0


@given(st.lists(st.tuples(st.floats(0, 1), st.sampled_from("ab")), max_size=20), st.floats(0, 1))
def test_a_replica_shows_the_state_of_exactly_its_lag_ago(writes: list[tuple[float, str]], lag_s: float) -> None:
    replica: LaggingReplica[str, int] = LaggingReplica(lag_s)
    current: dict[str, int] = {}
    history = [(0.0, dict(current))]
    now = 0.0
    for lsn, (pause_s, key) in enumerate(writes, start=1):
        now += pause_s
        replica.replaced(key, current.get(key), lsn=lsn, now=now)
        current[key] = lsn
        history.append((now, dict(current)))
        seen_lsn = replica.lsn(lsn, now)
        expected = next(
            state for at, state in reversed(history) if not lag_s or at + lag_s <= now or at == 0.0 == len(state)
        )
        assert {k: v for k in "ab" if (v := replica.version(k, current.get(k), seen_lsn)) is not None} == expected
