"""Transactional batch: all or nothing, within one logical partition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from azure.cosmos.exceptions import CosmosBatchOperationError

if TYPE_CHECKING:
    from tests.contract.cosmos.conftest import Box, Desk, Raw, Refused

KEY = ["default", "j1"]


def item(item_id: str, **more: Any) -> dict[str, Any]:
    return {"id": item_id, "tenant": "default", "job_id": "j1", **more}


async def test_every_kind_of_operation_works_and_sees_the_ones_before(box: Box) -> None:
    await box.create(item("old", n=1))
    results = await box.batch(
        [
            ("create", (item("new", n=1),)),
            ("upsert", (item("new", n=2),)),
            ("replace", ("new", item("new", n=3))),
            ("patch", ("new", [{"op": "incr", "path": "/n", "value": 1}])),
            ("read", ("new",)),
            ("delete", ("old",)),
        ],
        KEY,
    )
    assert [result["statusCode"] for result in results] == [201, 200, 200, 200, 200, 204]
    assert results[4]["resourceBody"]["n"] == 4
    assert results[4]["eTag"] == results[3]["resourceBody"]["_etag"]
    assert [row["id"] for row in await box.query("SELECT * FROM c", partition_key=KEY)] == ["new"]


async def test_one_failure_undoes_everything_and_marks_the_others_424(box: Box) -> None:
    await box.create(item("taken"))
    operations = [("create", (item("a"),)), ("create", (item("taken"),)), ("create", (item("b"),))]
    with pytest.raises(CosmosBatchOperationError) as raised:
        await box.batch(operations, KEY)
    assert (raised.value.status_code, raised.value.error_index) == (409, 1)
    assert [result["statusCode"] for result in raised.value.operation_responses or []] == [424, 409, 424]
    assert [row["id"] for row in await box.query("SELECT * FROM c", partition_key=KEY)] == ["taken"]


async def test_a_patch_condition_that_fails_undoes_the_batch(box: Box, refused: Refused) -> None:
    await box.create(item("job", n=1))
    patch = ("patch", ("job", [{"op": "incr", "path": "/n", "value": 1}]), {"filter_predicate": "FROM c WHERE c.n = 2"})
    with pytest.raises(CosmosBatchOperationError) as raised:
        await box.batch([("create", (item("part"),)), patch], KEY)
    assert (raised.value.status_code, raised.value.error_index) == (412, 1)
    assert (raised.value.operation_responses or [])[1]["subStatusCode"] == 1110
    assert await refused(box.read("part", KEY)) == (404, 0)


async def test_an_old_etag_in_the_batch_is_412(box: Box, refused: Refused) -> None:
    etag = (await box.create(item("job", n=1)))["_etag"]
    await box.upsert(item("job", n=2))
    operations = [("replace", ("job", item("job", n=3)), {"if_match_etag": etag})]
    assert await refused(box.batch(operations, KEY)) == (412, 0)


async def test_an_item_of_another_logical_partition_is_400(box: Box, refused: Refused) -> None:
    operations = [("create", ({**item("x"), "job_id": "j2"},))]
    assert await refused(box.batch(operations, KEY)) == (400, 0)


async def test_reading_what_does_not_exist_fails_the_batch_with_404(box: Box, refused: Refused) -> None:
    assert await refused(box.batch([("read", ("missing",))], KEY)) == (404, 0)


async def test_one_hundred_operations_are_allowed_and_one_more_is_400(box: Box, refused: Refused) -> None:
    operations = [("upsert", (item(f"part-{n}"),)) for n in range(101)]
    assert await refused(box.batch(operations, KEY)) == (400, 0)
    assert len(await box.batch(operations[:100], KEY)) == 100


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")  # aiohttp about the SDK's own bodies
async def test_a_batch_over_two_megabytes_is_413(box: Box, refused: Refused) -> None:
    operations = [("create", (item(f"part-{n}", text="x" * 700_000),)) for n in range(3)]
    assert await refused(box.batch(operations, KEY)) == (413, 0)
    assert len(await box.batch(operations[:2], KEY)) == 2


async def test_a_batch_needs_the_full_partition_key(box: Box, raw: Raw) -> None:
    headers = {"x-ms-cosmos-is-batch-request": "True", "x-ms-documentdb-partitionkey": '["default"]'}
    body = b'[{"operationType":"Read","id":"x"}]'
    assert raw.send("POST", raw.docs(box), content=body, headers=headers).status_code == 400


@pytest.mark.parametrize(
    "body", [b"[]", b"{}", b"[1]", b'[{"operationType":"Read","id":5}]', b'[{"operationType":["x"]}]']
)
async def test_a_batch_that_makes_no_sense_does_nothing(box: Box, raw: Raw, body: bytes) -> None:
    headers = {"x-ms-cosmos-is-batch-request": "True", "x-ms-documentdb-partitionkey": '["default","j1"]'}
    answer = raw.send("POST", raw.docs(box), content=body, headers=headers)
    assert answer.status_code == 400 or [result["statusCode"] for result in answer.json()] == [400]


async def test_a_batch_in_a_container_with_a_single_key_works(desk: Desk) -> None:
    single = await desk.box("/pk")
    await single.batch([("create", ({"id": "x", "pk": "p"},))], "p")
    assert (await single.read("x", "p"))["id"] == "x"


async def test_a_batch_that_is_not_atomic_is_refused(box: Box, raw: Raw) -> None:
    headers = {"x-ms-cosmos-is-batch-request": "True", "x-ms-cosmos-batch-atomic": "False"}
    headers["x-ms-documentdb-partitionkey"] = '["default","j1"]'
    assert raw.send("POST", raw.docs(box), content=b'[{"operationType":"Read"}]', headers=headers).status_code == 400
