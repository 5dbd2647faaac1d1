"""The admin port: ServiceBusAdministrationClient over https, curl over http, on one and the same port."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio.management import ServiceBusAdministrationClient as AioAdministrationClient
from azure.servicebus.exceptions import MessagingEntityNotFoundError
from azure.servicebus.management import ServiceBusAdministrationClient

from .harness import DEADLINE_S, Awaited, Namespace, Sdk, receive_one

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session", params=["aio", "sync"])
async def administration(request: pytest.FixtureRequest, namespace: Namespace, tmp_path: Path) -> AsyncIterator[Any]:
    """The SDK's client for management, which verifies the emulator's certificate."""
    (tmp_path / "certificate.pem").write_bytes(namespace.http("GET", "_emulator/certificate")[1])
    address = namespace.connection_string.replace(
        str(namespace.process.ports["amqp"]), str(namespace.process.ports["admin"])
    )
    kind = AioAdministrationClient if request.param == "aio" else ServiceBusAdministrationClient
    client: Any = kind.from_connection_string(
        address, connection_verify=str(tmp_path / "certificate.pem"), retry_total=0
    )
    yield Awaited(client)
    with contextlib.suppress(AttributeError):
        await Awaited(client).close()


async def test_a_created_queue_has_the_settings_it_was_given(administration: Any) -> None:
    name = f"created-{id(administration)}"
    await administration.create_queue(
        name,
        lock_duration=timedelta(seconds=30),
        max_delivery_count=4,
        default_message_time_to_live=timedelta(days=2),
        dead_lettering_on_message_expiration=True,
        requires_duplicate_detection=True,
        duplicate_detection_history_time_window=timedelta(minutes=3),
    )
    got = await administration.get_queue(name)
    assert (got.lock_duration, got.max_delivery_count) == (timedelta(seconds=30), 4)
    assert got.default_message_time_to_live == timedelta(days=2)
    assert got.dead_lettering_on_message_expiration is True
    assert got.requires_duplicate_detection is True
    assert got.duplicate_detection_history_time_window == timedelta(minutes=3)
    assert got.requires_session is False
    with pytest.raises(ResourceExistsError):
        await administration.create_queue(name)
    await administration.delete_queue(name)
    with pytest.raises(ResourceNotFoundError):
        await administration.get_queue(name)
    with pytest.raises(ResourceNotFoundError):
        await administration.delete_queue(name)


async def test_a_queue_without_settings_has_the_services_defaults(administration: Any, namespace: Namespace) -> None:
    got = await administration.get_queue(namespace.queue())
    assert (got.lock_duration, got.max_delivery_count) == (timedelta(minutes=1), 10)
    assert got.requires_duplicate_detection is False
    assert got.dead_lettering_on_message_expiration is False
    assert got.default_message_time_to_live > timedelta(days=10_000_000)


@pytest.mark.parametrize(
    "unsupported",
    [{"requires_session": True}, {"forward_to": "other"}, {"lock_duration": timedelta(minutes=6)}],
    ids=lambda given: next(iter(given)),
)
async def test_what_is_not_supported_is_refused(administration: Any, unsupported: dict[str, Any]) -> None:
    with pytest.raises(HttpResponseError) as refused:
        await administration.create_queue("refused", **unsupported)
    assert refused.value.status_code == 400


async def test_counts_tell_active_scheduled_and_dead_messages_apart(
    administration: Any, namespace: Namespace, aio: Sdk
) -> None:
    queue, sender, receiver = await aio.fresh(namespace)
    await sender.send_messages([ServiceBusMessage("x") for _ in range(4)])
    await sender.send_messages(ServiceBusMessage("y", scheduled_enqueue_time_utc=_in_an_hour()))
    await receiver.dead_letter_message(await receive_one(receiver))
    await receive_one(receiver)
    await receiver.defer_message(await receive_one(receiver))
    counts = await administration.get_queue_runtime_properties(queue)
    assert counts.active_message_count == 3, "locked and deferred ones are active"
    assert (counts.scheduled_message_count, counts.dead_letter_message_count) == (1, 1)
    assert counts.total_message_count == 5


def _in_an_hour() -> Any:
    from datetime import UTC, datetime

    return datetime.now(UTC) + timedelta(hours=1)


async def test_queues_are_listed(administration: Any, namespace: Namespace) -> None:
    queue = namespace.queue()
    listed, running = await administration.list_queues(), await administration.list_queues_runtime_properties()
    for pages in (listed, running):
        names = [q.name async for q in pages] if hasattr(pages, "__aiter__") else [q.name for q in pages]
        assert queue in names


async def test_deleting_a_queue_takes_the_links_away(administration: Any, namespace: Namespace, aio: Sdk) -> None:
    queue, sender, receiver = await aio.fresh(namespace)
    await administration.delete_queue(queue)
    with pytest.raises(MessagingEntityNotFoundError):
        await sender.send_messages(ServiceBusMessage("x"))
    with pytest.raises(MessagingEntityNotFoundError):
        await receiver.receive_messages(max_wait_time=DEADLINE_S)


async def test_health_is_answered_over_plain_http(namespace: Namespace) -> None:
    assert namespace.http("GET", "healthz") == (200, b'{"status": "ok"}\n')


async def test_an_unknown_route_is_not_found(namespace: Namespace) -> None:
    status, body = namespace.http("GET", "_emulator/nothing")
    assert (status, json.loads(body)) == (404, {"error": "no route GET /_emulator/nothing"})


async def test_a_description_that_is_no_xml_is_refused(namespace: Namespace) -> None:
    assert namespace.http("PUT", "bad", b"<entry>")[0] == 400
    assert namespace.http("PUT", "bad", b"<entry/>")[0] == 400
    assert namespace.http("PATCH", "bad", b"")[0] == 405
