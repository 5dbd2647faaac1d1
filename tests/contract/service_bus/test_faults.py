"""The fault hook, as a client feels it: before the commit, after it, late, never, or with a dead process."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusSubQueue
from azure.servicebus.exceptions import (
    MessageLockLostError,
    OperationTimeoutError,
    ServiceBusAuthorizationError,
    ServiceBusError,
    ServiceBusServerBusyError,
)

from .harness import DEADLINE_S, Namespace, Sdk, config, receive_one, text

pytestmark = pytest.mark.asyncio(loop_scope="session")
BUSY, TIMEOUT = "com.microsoft:server-busy", "com.microsoft:timeout"
LOST = "com.microsoft:message-lock-lost"


async def test_a_failed_send_is_not_stored_and_the_next_one_is(namespace: Namespace, sdk: Any) -> None:
    queue, sender, _ = await sdk.fresh(namespace)
    with namespace.fault(queue, "send", "fail", BUSY):
        with pytest.raises(ServiceBusServerBusyError):
            await sender.send_messages(ServiceBusMessage("x"))
        assert namespace.counts(queue)["active"] == 0
        await sender.send_messages(ServiceBusMessage("x"))
    assert namespace.counts(queue)["active"] == 1


async def test_commit_then_fail_stores_the_message_and_reports_an_error(namespace: Namespace, sdk: Any) -> None:
    queue, sender, _ = await sdk.fresh(namespace)
    with (
        namespace.fault(queue, "send", "commit-then-fail", TIMEOUT),
        pytest.raises(OperationTimeoutError),
    ):
        await sender.send_messages(ServiceBusMessage("x"))
    assert namespace.counts(queue)["active"] == 1


async def test_the_nth_request_is_struck_as_often_as_asked(namespace: Namespace, aio: Sdk) -> None:
    queue, sender, _ = await aio.fresh(namespace)
    outcomes = []
    with namespace.fault(queue, "send", "fail", BUSY, nth=2, times=2):
        for _ in range(4):
            try:
                await sender.send_messages(ServiceBusMessage("x"))
                outcomes.append("stored")
            except ServiceBusServerBusyError:
                outcomes.append("busy")
    assert outcomes == ["stored", "busy", "busy", "stored"]


async def test_a_fault_for_one_queue_spares_the_others(namespace: Namespace, aio: Sdk) -> None:
    queue, sender, _ = await aio.fresh(namespace)
    with namespace.fault("another", "send", "fail", BUSY):
        await sender.send_messages(ServiceBusMessage("x"))
    assert namespace.counts(queue)["active"] == 1


async def test_a_delayed_send_is_answered_late(namespace: Namespace, sdk: Any) -> None:
    queue, sender, _ = await sdk.fresh(namespace)
    with namespace.fault(queue, "send", "delay", delay_s=0.4):
        started = time.monotonic()
        await sender.send_messages(ServiceBusMessage("x"))
    assert time.monotonic() - started >= 0.4
    assert namespace.counts(queue)["active"] == 1


@pytest.mark.parametrize(("action", "stored"), [("fail", 0), ("commit-then-fail", 1)])
async def test_a_dropped_connection_leaves_the_outcome_open(
    namespace: Namespace, aio: Sdk, action: str, stored: int
) -> None:
    queue = namespace.queue()
    sender = await aio.sender(namespace, queue)
    with namespace.fault(queue, "send", action, "drop"):
        with pytest.raises(ServiceBusError):
            await sender.send_messages(ServiceBusMessage("x"))
        assert namespace.counts(queue)["active"] == stored
        await sender.send_messages(ServiceBusMessage("y"))
    assert namespace.counts(queue)["active"] == stored + 1


async def _settle(receiver: Any, action: str) -> None:
    message = await receive_one(receiver)
    await getattr(receiver, f"{action}_message")(message)


@pytest.mark.parametrize("action", ["complete", "abandon", "dead_letter", "defer"])
async def test_a_failed_settlement_changes_nothing(namespace: Namespace, sdk: Any, action: str) -> None:
    queue, sender, receiver = await sdk.fresh(namespace)
    await sender.send_messages(ServiceBusMessage("x"))
    kind = action.replace("_", "-")
    with (
        namespace.fault(queue, kind, "fail", LOST),
        pytest.raises(MessageLockLostError),
    ):
        await _settle(receiver, action)
    assert namespace.counts(queue)["locked"] == 1


async def test_a_settlement_that_commits_and_fails_is_done(namespace: Namespace, sdk: Any) -> None:
    queue, sender, receiver = await sdk.fresh(namespace)
    await sender.send_messages(ServiceBusMessage("x"))
    with (
        namespace.fault(queue, "complete", "commit-then-fail", LOST),
        pytest.raises(MessageLockLostError),
    ):
        await _settle(receiver, "complete")
    assert namespace.counts(queue)["totals"]["completed"] == 1


def _later() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)


_MANAGEMENT: dict[str, Callable[[Any, Any], Awaitable[Any]]] = {
    "schedule": lambda sender, _: sender.schedule_messages(ServiceBusMessage("x"), _later()),
    "cancel-scheduled": lambda sender, _: sender.cancel_scheduled_messages(1),
    "peek": lambda _, receiver: receiver.peek_messages(1),
    "receive-deferred": lambda _, receiver: receiver.receive_deferred_messages(1),
}


@pytest.mark.parametrize("kind", list(_MANAGEMENT))
async def test_a_failed_management_request_raises_what_the_fault_says(
    namespace: Namespace, aio: Sdk, kind: str
) -> None:
    queue, sender, receiver = await aio.fresh(namespace)
    with (
        namespace.fault(queue, kind, "fail", BUSY),
        pytest.raises(ServiceBusServerBusyError),
    ):
        await _MANAGEMENT[kind](sender, receiver)


async def test_a_failed_renewal_leaves_the_lock_as_it_was(namespace: Namespace, aio: Sdk) -> None:
    queue, sender, receiver = await aio.fresh(namespace)
    await sender.send_messages(ServiceBusMessage("x"))
    message = await receive_one(receiver)
    with (
        namespace.fault(queue, "renew-lock", "fail", BUSY),
        pytest.raises(ServiceBusServerBusyError),
    ):
        await receiver.renew_message_lock(message)
    await receiver.complete_message(message)


async def test_a_delivery_can_be_held_back(namespace: Namespace, aio: Sdk) -> None:
    queue, sender, receiver = await aio.fresh(namespace)
    with namespace.fault(queue, "receive", "delay", delay_s=0.4):
        await sender.send_messages(ServiceBusMessage("x"))
        started = time.monotonic()
        assert text(await receive_one(receiver)) == "x"
    assert time.monotonic() - started >= 0.4


@pytest.mark.parametrize(("action", "locked"), [("fail", 0), ("commit-then-fail", 1)])
async def test_a_delivery_that_fails_takes_the_link_away(
    namespace: Namespace, aio: Sdk, action: str, locked: int
) -> None:
    queue, sender, receiver = await aio.fresh(namespace)
    await sender.send_messages(ServiceBusMessage("x"))
    with (
        namespace.fault(queue, "receive", action, "amqp:internal-error"),
        pytest.raises(ServiceBusError),
    ):
        await receiver.receive_messages(max_wait_time=DEADLINE_S)
    assert namespace.counts(queue)["locked"] == locked


async def test_an_attach_can_be_refused(namespace: Namespace, sdk: Any) -> None:
    queue = namespace.queue()
    refused = namespace.fault(queue, "attach", "fail", "amqp:unauthorized-access")
    with refused, pytest.raises(ServiceBusAuthorizationError):
        await sdk.sender(namespace, queue)


async def test_the_dead_letter_queue_has_a_label_of_its_own(namespace: Namespace, aio: Sdk) -> None:
    queue, sender, receiver = await aio.fresh(namespace)
    await sender.send_messages(ServiceBusMessage("x"))
    await receiver.dead_letter_message(await receive_one(receiver))
    dead = await aio.receiver(namespace, queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER)
    with namespace.fault(f"{queue}/$deadletterqueue", "peek", "fail", BUSY):
        await receiver.peek_messages(1)
        with pytest.raises(ServiceBusServerBusyError):
            await dead.peek_messages(1)


async def test_a_look_at_a_page_is_told_from_a_look_at_one_message(namespace: Namespace, aio: Sdk) -> None:
    queue, _, receiver = await aio.fresh(namespace)
    page = 100
    namespace.arm(kind="peek", action="fail", error=BUSY, match={"entity": queue, "count": str(page)})
    await receiver.peek_messages(1)
    with pytest.raises(ServiceBusServerBusyError):
        await receiver.peek_messages(page)
    namespace.http("DELETE", "_emulator/faults")


async def test_another_process_can_be_killed_before_the_commit(namespace: Namespace, aio: Sdk) -> None:
    queue, sender, _ = await aio.fresh(namespace)
    victim = await asyncio.create_subprocess_exec(sys.executable, "-c", "import time; time.sleep(60)")
    with namespace.fault(queue, "send", "kill-before", pid=victim.pid):
        await sender.send_messages(ServiceBusMessage("x"))
        assert await asyncio.wait_for(victim.wait(), DEADLINE_S) == -9
    assert namespace.counts(queue)["active"] == 1


async def test_another_process_can_be_killed_instead_of_being_served(namespace: Namespace, aio: Sdk) -> None:
    queue, sender, receiver = await aio.fresh(namespace)
    victim = await asyncio.create_subprocess_exec(sys.executable, "-c", "import time; time.sleep(60)")
    with namespace.fault(queue, "send", "kill-instead", pid=victim.pid), pytest.raises(ServiceBusError):
        await sender.send_messages(ServiceBusMessage("x"))
    assert await asyncio.wait_for(victim.wait(), DEADLINE_S) == -9
    assert namespace.counts(queue)["active"] == 0
    await (await aio.sender(namespace, queue)).send_messages(ServiceBusMessage("y"))
    with namespace.fault(queue, "receive", "kill-instead", pid=victim.pid), pytest.raises(ServiceBusError):
        await receiver.receive_messages(max_wait_time=DEADLINE_S)
    counts = namespace.counts(queue)
    assert (counts["active"], counts["locked"]) == (1, 0)


@pytest.mark.parametrize(("action", "stored"), [("kill-before", 0), ("kill-after", 1)])
async def test_the_emulator_can_be_killed_around_the_commit(tmp_path: Path, action: str, stored: int) -> None:
    path = config(tmp_path, ("jobs", {}))
    kept, sdk = Namespace("--config", str(path), "--data", str(tmp_path / "data")), Sdk("aio")
    sender = await sdk.sender(kept, "jobs")
    kept.arm(kind="send", action=action)
    with pytest.raises(ServiceBusError):
        await sender.send_messages(ServiceBusMessage("x"))
    kept.start_again()
    assert kept.counts("jobs")["active"] == stored
    await sdk.close()
    kept.process.stop()


async def test_dropped_connections_come_back_by_themselves(namespace: Namespace, sdk: Any) -> None:
    alone = Namespace()
    try:
        queue = alone.queue()
        sender = await sdk.sender(alone, queue, retry_total=3, retry_backoff_factor=0.01)
        assert alone.json("POST", "drop-connections") == {"dropped": 1}
        await sender.send_messages(ServiceBusMessage("x"))
        assert alone.counts(queue)["active"] == 1
    finally:
        alone.process.stop()


async def test_requests_are_counted_by_kind_until_faults_are_cleared(namespace: Namespace, aio: Sdk) -> None:
    _, sender, _ = await aio.fresh(namespace)
    namespace.http("DELETE", "_emulator/faults")
    await sender.send_messages(ServiceBusMessage("x"))
    await sender.send_messages([ServiceBusMessage("x"), ServiceBusMessage("y")])
    assert namespace.json("GET", "counts")["send"] == 2
    namespace.http("DELETE", "_emulator/faults")
    assert "send" not in namespace.json("GET", "counts")


async def test_a_fault_is_taken_away_by_its_id_and_the_others_and_the_counts_stay(
    namespace: Namespace, aio: Sdk
) -> None:
    queue, sender, _ = await aio.fresh(namespace)
    with namespace.fault(queue, "send", "fail", "amqp:not-allowed", times=100):
        (struck,) = namespace.json("GET", "faults")
        namespace.arm(kind="send", action="delay", match={"entity": queue})
        assert namespace.http("DELETE", f"_emulator/faults/{struck['id']}")[0] == 200
        await sender.send_messages(ServiceBusMessage("x"))
        (left,) = namespace.json("GET", "faults")
        assert (left["action"], left["seen"]) == ("delay", 1)
        assert namespace.json("GET", "counts")["send"] >= 1
        assert namespace.http("DELETE", f"_emulator/faults/{struck['id']}")[0] == 404


@pytest.mark.parametrize(
    ("body", "explanation"),
    [
        ({"kind": "send", "action": "explode"}, "action is 'explode'"),
        ({"kind": "send", "action": "fail"}, "needs `error`"),
        ({"kind": "send", "action": "fail", "error": "drop", "nth": 0}, "nth is 0"),
        ({"kind": "send", "action": "delay", "seconds": 1}, "unknown field"),
        ({"kind": "send", "action": "delay", "id": "mine"}, "unknown field"),
        ({"action": "delay"}, "kind"),
        ([], "JSON object"),
    ],
)
async def test_a_fault_that_makes_no_sense_is_refused(namespace: Namespace, body: Any, explanation: str) -> None:
    status, answer = namespace.http("POST", "_emulator/faults", json.dumps(body).encode())
    assert (status, namespace.json("GET", "faults")) == (400, [])
    assert explanation in json.loads(answer)["error"]
