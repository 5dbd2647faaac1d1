"""What survives `kill -9`: everything that was acknowledged."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import AzureError

from azure_local_emulators.cosmos import persistence
from azure_local_emulators.cosmos.account import Account, AccountOptions
from azure_local_emulators.cosmos.operations import Transaction, create, upsert
from azure_local_emulators.cosmos.partitioning import parse_header
from tests.contract.cosmos.conftest import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from azure_local_emulators.process import EmulatorProcess
    from tests.contract.cosmos.conftest import Box, Opener, Refused

    Start = Callable[..., EmulatorProcess]
    WaitUntil = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]

KEY = ["default", "j1"]


def item(item_id: str, **more: Any) -> dict[str, Any]:
    return {"id": item_id, "tenant": "default", "job_id": "j1", **more}


async def reopened(emulator: EmulatorProcess, open_desk: Opener, box: Box) -> Box:
    emulator.kill()
    emulator.start()
    return type(box)((await (await open_desk(emulator)).database()).get_container_client(box.container.id))


async def test_items_etags_and_timestamps_survive_a_kill(
    start: Start, open_desk: Opener, refused: Refused, tmp_path: Path
) -> None:
    emulator = start("--data", str(tmp_path), "--consistency", "Strong")
    box = await (await open_desk(emulator)).box(default_ttl=-1)
    first = await box.create(item("a", text="héllo ☃\n"))
    await box.create(item("gone"))
    await box.delete("gone", KEY)
    await box.batch([("create", (item("b"),)), ("patch", ("a", [{"op": "set", "path": "/n", "value": 1}]))], KEY)
    before = await box.query("SELECT * FROM c", partition_key=KEY)
    again = await reopened(emulator, open_desk, box)
    assert await again.query("SELECT * FROM c", partition_key=KEY) == before
    assert {row["id"] for row in before} == {"a", "b"}
    stale = again.replace("a", item("a"), etag=first["_etag"], match_condition=MatchConditions.IfNotModified)
    assert await refused(stale) == (412, 0)
    assert (await again.create(item("c")))["_rid"] not in {row["_rid"] for row in before}


async def test_containers_and_their_settings_survive_and_deleted_ones_stay_deleted(
    start: Start, open_desk: Opener, tmp_path: Path
) -> None:
    from tests.contract.cosmos.conftest import done

    emulator = start("--data", str(tmp_path))
    desk = await open_desk(emulator)
    kept, dropped = await desk.box(default_ttl=77), await desk.box("/pk")
    await done((await desk.database()).delete_container(dropped.container.id))
    again = await reopened(emulator, open_desk, kept)
    assert (await done(again.container.read()))["defaultTtl"] == 77
    database = await (await open_desk(emulator)).database()
    listed = database.list_containers()
    names = [row["id"] async for row in listed] if hasattr(listed, "__aiter__") else [row["id"] for row in listed]
    assert names == [kept.container.id]


async def test_an_item_expires_on_time_across_a_restart(
    start: Start, open_desk: Opener, wait_until: WaitUntil, tmp_path: Path
) -> None:
    emulator = start("--data", str(tmp_path), "--consistency", "Strong")
    box = await (await open_desk(emulator)).box(default_ttl=-1)
    await box.create(item("short", ttl=1))
    await box.create(item("long", ttl=60))
    again = await reopened(emulator, open_desk, box)

    async def expired() -> bool:
        return await again.query("SELECT VALUE c.id FROM c", partition_key=KEY) == ["long"]

    await wait_until(expired)


async def test_a_session_token_from_before_the_restart_still_counts(
    start: Start, open_desk: Opener, tmp_path: Path
) -> None:
    emulator = start("--data", str(tmp_path))
    box = await (await open_desk(emulator)).box()
    for n in range(5):
        await box.upsert(item("a", n=n))
    tokens: list[str] = []
    await box.upsert(item("a", n=9), response_hook=lambda headers, *_: tokens.append(headers["x-ms-session-token"]))
    again = await reopened(emulator, open_desk, box)
    assert (await again.read("a", KEY, session_token=tokens[0]))["n"] == 9
    await again.upsert(item("a", n=10))
    assert (await again.read("a", KEY))["n"] == 10


@pytest.mark.parametrize("sdk", ["aio"], indirect=True)  # the sync client cannot write while the test kills
async def test_every_acknowledged_create_is_there_after_a_kill_in_full_flight(
    start: Start, open_desk: Opener, tmp_path: Path
) -> None:
    emulator = start("--data", str(tmp_path), "--consistency", "Strong")
    box = await (await open_desk(emulator, retry_total=0, retry_connect=0)).box()
    acknowledged: list[str] = []
    enough = asyncio.Event()

    async def write(worker: int) -> None:
        for n in range(10_000):
            await box.create(item(f"{worker}-{n}"))
            acknowledged.append(f"{worker}-{n}")
            if len(acknowledged) == 200:
                enough.set()

    workers = [asyncio.create_task(write(worker)) for worker in range(8)]
    await asyncio.wait_for(enough.wait(), timeout=DEADLINE_S)
    emulator.kill()
    results = await asyncio.gather(*workers, return_exceptions=True)
    assert all(isinstance(result, AzureError) for result in results)
    emulator.start()
    again = type(box)((await (await open_desk(emulator)).database()).get_container_client(box.container.id))
    found = set(await again.query("SELECT VALUE c.id FROM c", partition_key=KEY))
    assert set(acknowledged) <= found


def test_compaction_keeps_the_state_and_shrinks_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(persistence, "COMPACT_FROM_BYTES", 50_000)
    recorder = persistence.JournalRecorder(tmp_path)
    account = Account(AccountOptions(), recorder)
    account.create_database({"id": "d"})
    definition = {"paths": ["/tenant", "/job_id"], "kind": "MultiHash", "version": 2}
    container = account.create_container("d", {"id": "c", "partitionKey": definition})
    key = parse_header('["default","j1"]', container.definition)
    for n in range(2_000):
        transaction = Transaction(container, key)
        upsert(transaction, item("a", n=n))
        create(transaction, item(f"b{n}")) if n % 100 == 0 else None
        account.commit(container, transaction.changes)
        recorder.compact_if_due(account)
    recorder.close()
    assert (tmp_path / "cosmos.journal").stat().st_size < 250_000

    reader = persistence.JournalRecorder(tmp_path)
    copy = Account(AccountOptions(), reader)
    reader.load(copy)
    reader.close()
    restored = copy.container("d", "c")
    assert [found.raw for found in restored.everything()] == [found.raw for found in container.everything()]
    assert [range_.lsn for range_ in restored.ranges] == [range_.lsn for range_ in container.ranges]
    assert restored.next_number() == container.next_number()
