"""The fault hook, through the SDK's own retries."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import AzureError
from azure.cosmos.exceptions import CosmosBatchOperationError

from tests.contract.cosmos.conftest import DEADLINE_S, Raw

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from azure_local_emulators.process import EmulatorProcess
    from tests.contract.cosmos.conftest import Box, Opener, Refused

KEY = ["default", "j1"]


def item(item_id: str = "job", **more: Any) -> dict[str, Any]:
    return {"id": item_id, "tenant": "default", "job_id": "j1", **more}


def arm(raw: Raw, box: Box, kind: str, action: str, **more: Any) -> None:
    match = {"container": box.container.id, **more.pop("match", {})}
    raw.control("POST", "faults", {"kind": kind, "action": action, "match": match, **more})


async def test_a_throttled_request_is_retried_by_the_sdk_after_the_time_it_is_told(box: Box, raw: Raw) -> None:
    arm(raw, box, "create", "fail", error="429", retry_after_s=0.05, times=2)
    started = time.monotonic()
    await box.create(item())
    assert raw.control("GET", "counts")["create"] == 3
    assert time.monotonic() - started >= 0.1


@pytest.mark.parametrize("status", [449, 400, 403])
async def test_a_failure_before_the_commit_leaves_nothing(box: Box, raw: Raw, refused: Refused, status: int) -> None:
    arm(raw, box, "create", "fail", error=str(status))
    assert (await refused(box.create(item())))[0] == status
    assert await refused(box.read("job", KEY)) == (404, 0)


@pytest.mark.parametrize("status", [449, 500, 503])
async def test_a_failure_after_the_commit_leaves_the_write(box: Box, raw: Raw, refused: Refused, status: int) -> None:
    arm(raw, box, "create", "commit-then-fail", error=str(status), times=50)
    assert (await refused(box.create(item())))[0] in (status, 409)  # 409: the SDK's own retry met its own write
    assert (await box.read("job", KEY))["id"] == "job"


async def test_a_write_conflict_comes_out_of_a_batch_as_its_first_operation(
    box: Box, raw: Raw, refused: Refused
) -> None:
    arm(raw, box, "batch", "fail", error="449")
    with pytest.raises(CosmosBatchOperationError) as raised:
        await box.batch([("create", (item("a"),)), ("create", (item("b"),))], KEY)
    assert (raised.value.status_code, raised.value.error_index) == (449, 0)
    assert await refused(box.read("a", KEY)) == (404, 0)


async def test_a_dropped_connection_after_the_commit_leaves_the_write_and_the_aio_sdk_repeats_it(
    box: Box, raw: Raw, sdk: str
) -> None:
    arm(raw, box, "patch", "commit-then-fail", error="drop", times=50)
    await box.create(item(n=0))
    with pytest.raises(AzureError):
        await box.patch("job", KEY, [{"op": "incr", "path": "/n", "value": 1}], retry_write=0)
    # azure-cosmos 4.17 aio takes any lost connection for one on which nothing was sent, and repeats even a patch.
    assert (await box.read("job", KEY))["n"] == (1 if sdk == "sync" else 4)


async def test_a_fault_strikes_the_nth_request_that_matches(box: Box, raw: Raw, refused: Refused) -> None:
    arm(raw, box, "create", "fail", error="449", nth=2, match={"id": "b"})
    await box.create(item("a"))
    await box.create(item("b", n=1))
    await box.delete("b", KEY)
    assert await refused(box.create(item("b"))) == (449, 0)
    await box.create(item("b"))


async def test_a_delay_delays(box: Box, raw: Raw) -> None:
    arm(raw, box, "read", "delay", delay_s=0.2)
    await box.create(item())
    started = time.monotonic()
    await box.read("job", KEY)
    assert time.monotonic() - started >= 0.2


async def test_the_emulator_can_kill_itself_after_the_commit(
    start: Callable[..., EmulatorProcess], open_desk: Opener, tmp_path: Path
) -> None:
    emulator = start("--data", str(tmp_path), "--consistency", "Strong")
    box = await (await open_desk(emulator, retry_total=0, retry_connect=0, retry_read=0)).box()
    control = Raw(emulator)
    control.control("POST", "faults", {"kind": "create", "action": "kill-after"})
    control.close()
    with pytest.raises(AzureError):
        await box.create(item())
    emulator.kill()
    emulator.start()
    again = type(box)((await (await open_desk(emulator)).database()).get_container_client(box.container.id))
    assert (await again.read("job", KEY))["id"] == "job"


async def test_another_process_can_be_killed_instead_of_being_served(box: Box, raw: Raw, refused: Refused) -> None:
    victim = await asyncio.create_subprocess_exec(sys.executable, "-c", "import time; time.sleep(60)")
    arm(raw, box, "create", "kill-instead", pid=victim.pid, times=50)
    with pytest.raises(AzureError):
        await box.create(item())
    assert await asyncio.wait_for(victim.wait(), DEADLINE_S) == -9
    assert await refused(box.read("job", KEY)) == (404, 0)


async def test_every_kind_of_request_is_counted(box: Box, raw: Raw) -> None:
    await box.create(item())
    await box.upsert(item())
    await box.replace("job", item())
    await box.patch("job", KEY, [{"op": "set", "path": "/n", "value": 1}])
    await box.read("job", KEY)
    await box.query("SELECT * FROM c", partition_key=KEY)
    await box.batch([("read", ("job",))], KEY)
    await box.delete("job", KEY)
    counts = raw.control("GET", "counts")
    kinds = ("create", "upsert", "replace", "patch", "read", "query", "batch", "delete")
    assert {kind: counts.get(kind) for kind in kinds} == dict.fromkeys(kinds, 1)


async def test_a_fault_is_taken_away_by_its_id_and_the_others_and_the_counts_stay(box: Box, raw: Raw) -> None:
    arm(raw, box, "create", "fail", error="403", times=100)
    (struck,) = raw.control("GET", "faults")
    arm(raw, box, "create", "delay")
    raw.control("DELETE", f"faults/{struck['id']}")
    await box.create(item())
    (left,) = raw.control("GET", "faults")
    assert (left["action"], left["seen"]) == ("delay", 1)
    assert raw.control("GET", "counts")["create"] == 1
    assert raw.send("DELETE", f"_emulator/faults/{struck['id']}").status_code == 404


def test_a_fault_that_makes_no_sense_is_400(raw: Raw) -> None:
    for body in (
        b"{}",
        b"[]",
        b"{",
        b'{"kind":"read","action":"explode"}',
        b'{"kind":"read","action":"fail","nth":"x"}',
    ):
        assert raw.send("POST", "_emulator/faults", content=body).status_code == 400
    assert raw.send("GET", "_emulator/nothing").status_code == 404
