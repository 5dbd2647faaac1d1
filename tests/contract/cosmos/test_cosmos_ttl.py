"""Expiry: container default, item TTL, and what switches it off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from azure.cosmos import PartitionKey

from tests.contract.cosmos.conftest import done

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.contract.cosmos.conftest import Box, Desk, Raw, Refused

    WaitUntil = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]

# Each test takes two seconds; what the SDK sends is the same in both.
pytestmark = pytest.mark.parametrize("sdk", ["aio"], indirect=True)

KEY = ["default", "j1"]
HOUR_S = 3600


def item(item_id: str, **more: Any) -> dict[str, Any]:
    return {"id": item_id, "tenant": "default", "job_id": "j1", **more}


async def ids(box: Box) -> set[str]:
    return set(await box.query("SELECT VALUE c.id FROM c", partition_key=KEY))


async def expire_after_a_second(desk: Desk, box: Box) -> None:
    """Change the container's default."""
    definition = PartitionKey(["/tenant", "/job_id"])
    await done((await desk.database()).replace_container(box.container.id, definition, default_ttl=1))


async def test_an_item_expires_by_its_own_ttl_or_the_containers_default(
    desk: Desk, refused: Refused, wait_until: WaitUntil
) -> None:
    box = await desk.box(default_ttl=HOUR_S)
    await box.create(item("default"))
    await box.create(item("longer", ttl=2 * HOUR_S))
    await box.create(item("never", ttl=-1))
    assert await ids(box) == {"default", "longer", "never"}
    await expire_after_a_second(desk, box)

    async def expired() -> bool:
        return await ids(box) == {"longer", "never"}

    await wait_until(expired)
    assert await refused(box.read("default", KEY)) == (404, 0)
    assert await refused(box.patch("default", KEY, [{"op": "set", "path": "/n", "value": 1}])) == (404, 0)
    await box.create(item("default"))


async def test_a_default_of_minus_one_lets_items_expire_by_their_own_ttl_only(box: Box, wait_until: WaitUntil) -> None:
    await box.create(item("short", ttl=1))
    await box.create(item("plain"))

    async def expired() -> bool:
        return await ids(box) == {"plain"}

    await wait_until(expired)


async def test_without_a_default_an_items_ttl_means_nothing(desk: Desk, box: Box, wait_until: WaitUntil) -> None:
    plain = await desk.box()
    await plain.create(item("kept", ttl=1))
    await box.create(item("clock", ttl=1))

    async def expired() -> bool:
        return not await ids(box)

    await wait_until(expired)
    assert await ids(plain) == {"kept"}


async def test_a_write_starts_the_time_again_and_a_patch_can_set_it(box: Box, wait_until: WaitUntil) -> None:
    await box.create(item("patched"))
    saved = ("patch", ("saved", [{"op": "remove", "path": "/ttl"}]))
    await box.batch([("create", (item("saved", ttl=1),)), saved], KEY)  # Together: it cannot have expired in between.
    await box.patch("patched", KEY, [{"op": "set", "path": "/ttl", "value": 1}])

    async def expired() -> bool:
        return await ids(box) == {"saved"}

    await wait_until(expired)


async def test_changing_the_containers_default_counts_for_the_items_there(desk: Desk, wait_until: WaitUntil) -> None:
    box = await desk.box()
    await box.create(item("a"))
    await expire_after_a_second(desk, box)

    async def expired() -> bool:
        return not await ids(box)

    await wait_until(expired)


@pytest.mark.parametrize("ttl", [0, -2, 1.5, "60", True, 2**31])
async def test_a_ttl_that_makes_no_sense_is_400(box: Box, raw: Raw, ttl: object) -> None:
    from tests.contract.cosmos.conftest import encoded

    headers = {"x-ms-documentdb-partitionkey": '["default","j1"]'}
    assert raw.send("POST", raw.docs(box), content=encoded(item("x", ttl=ttl)), headers=headers).status_code == 400
