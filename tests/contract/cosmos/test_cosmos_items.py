"""Point operations: create, read, upsert, replace, delete, etags and limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from azure.core import MatchConditions

if TYPE_CHECKING:
    from tests.contract.cosmos.conftest import Box, Desk, Raw, Refused

KEY = ["default", "j1"]


def job(**more: object) -> dict[str, object]:
    return {"id": "job", "tenant": "default", "job_id": "j1", **more}


async def test_a_created_item_is_read_back_with_the_systems_properties(box: Box) -> None:
    created = await box.create(job(n=1, text="héllo ☃ 𝄞"))
    assert created == await box.read("job", KEY)
    assert created.items() >= job(n=1, text="héllo ☃ 𝄞").items()
    assert {"_rid", "_self", "_etag", "_ts", "_attachments"} < created.keys()


async def test_creating_an_id_twice_conflicts(box: Box, refused: Refused) -> None:
    await box.create(job())
    assert await refused(box.create(job())) == (409, 0)


async def test_the_same_id_lives_in_two_logical_partitions(box: Box) -> None:
    await box.create(job(n=1))
    await box.create({**job(n=2), "job_id": "j2"})
    assert (await box.read("job", KEY))["n"] == 1
    assert (await box.read("job", ["default", "j2"]))["n"] == 2


async def test_reading_what_does_not_exist_is_404(box: Box, refused: Refused) -> None:
    assert await refused(box.read("job", KEY)) == (404, 0)
    await box.create(job())
    assert await refused(box.read("job", ["default", "j2"])) == (404, 0)


async def test_replace_and_delete_of_what_does_not_exist_is_404(box: Box, refused: Refused) -> None:
    assert await refused(box.replace("job", job())) == (404, 0)
    assert await refused(box.delete("job", KEY)) == (404, 0)
    assert await refused(box.patch("job", KEY, [{"op": "set", "path": "/n", "value": 1}])) == (404, 0)


async def test_upsert_creates_then_replaces_and_keeps_the_resource_id(box: Box) -> None:
    first = await box.upsert(job(n=1))
    second = await box.upsert(job(n=2))
    assert (first["_rid"], second["n"]) == (second["_rid"], 2)
    assert first["_etag"] != second["_etag"]


async def test_a_deleted_item_is_gone_and_its_id_is_free_again(box: Box, refused: Refused) -> None:
    await box.create(job())
    await box.delete("job", KEY)
    assert await refused(box.read("job", KEY)) == (404, 0)
    await box.create(job())


async def test_replace_with_an_old_etag_is_412_and_changes_nothing(box: Box, refused: Refused) -> None:
    old = await box.create(job(n=1))
    await box.replace("job", job(n=2), etag=old["_etag"], match_condition=MatchConditions.IfNotModified)
    stale = box.replace("job", job(n=3), etag=old["_etag"], match_condition=MatchConditions.IfNotModified)
    assert await refused(stale) == (412, 0)
    assert (await box.read("job", KEY))["n"] == 2


async def test_delete_with_an_old_etag_is_412(box: Box, refused: Refused) -> None:
    old = await box.create(job(n=1))
    await box.upsert(job(n=2))
    stale = box.delete("job", KEY, etag=old["_etag"], match_condition=MatchConditions.IfNotModified)
    assert await refused(stale) == (412, 0)


async def test_upsert_with_an_old_etag_is_412(box: Box, refused: Refused) -> None:
    old = await box.create(job(n=1))
    await box.upsert(job(n=2))
    stale = box.upsert(job(n=3), etag=old["_etag"], match_condition=MatchConditions.IfNotModified)
    assert await refused(stale) == (412, 0)


async def test_upsert_with_an_etag_creates_what_does_not_exist(box: Box) -> None:
    await box.upsert(job(n=1), etag='"x"', match_condition=MatchConditions.IfNotModified)
    assert (await box.read("job", KEY))["n"] == 1


async def test_if_match_on_what_does_not_exist_is_404(box: Box, refused: Refused) -> None:
    missing = box.replace("job", job(), etag='"x"', match_condition=MatchConditions.IfNotModified)
    assert await refused(missing) == (404, 0)


async def test_a_read_of_the_version_one_has_answers_304(box: Box, raw: Raw) -> None:
    etag = (await box.create(job()))["_etag"]
    headers = {"x-ms-documentdb-partitionkey": '["default","j1"]', "If-None-Match": etag}
    assert raw.send("GET", f"{raw.docs(box)}/job", headers=headers).status_code == 304
    await box.upsert(job(n=1))
    assert raw.send("GET", f"{raw.docs(box)}/job", headers=headers).status_code == 200


async def test_no_response_leaves_the_body_out(box: Box) -> None:
    assert await box.create(job(n=1), no_response=True) == {}
    assert (await box.read("job", KEY))["n"] == 1


async def test_replace_cannot_change_the_id(box: Box, refused: Refused) -> None:
    await box.create(job())
    assert await refused(box.replace("job", job(id="other"))) == (400, 0)


@pytest.mark.parametrize("sdk", ["aio"], indirect=True)  # the table is about the emulator
@pytest.mark.parametrize("item_id", ["a/b", "a\\b", "a?b", "a#b", "x" * 1024, "é" * 512])
async def test_a_forbidden_id_is_400(box: Box, raw: Raw, item_id: str) -> None:
    body = str(job(id=item_id)).replace("'", '"').encode()
    headers = {"x-ms-documentdb-partitionkey": '["default","j1"]'}
    assert raw.send("POST", raw.docs(box), content=body, headers=headers).status_code == 400


@pytest.mark.parametrize("item_id", ["a b", "a%2Fb", "ü ☃", "a+b&c=d", "'\"", "x" * 1023, "."])
async def test_an_unusual_id_is_allowed(box: Box, item_id: str) -> None:
    await box.create(job(id=item_id))
    if item_id != ".":  # HTTP clients remove a segment of one dot; the service cannot see it either
        assert (await box.read(item_id, KEY))["id"] == item_id
    assert len(await box.query("SELECT * FROM c", partition_key=KEY)) == 1


@pytest.mark.parametrize("item_id", ["", '"id":5,', '"id":null,', '"id":"",'])
async def test_an_item_without_an_id_is_400(box: Box, raw: Raw, item_id: str) -> None:
    headers = {"x-ms-documentdb-partitionkey": '["default","j1"]'}
    body = f'{{{item_id}"tenant":"default","job_id":"j1"}}'.encode()
    assert raw.send("POST", raw.docs(box), content=body, headers=headers).status_code == 400


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")  # aiohttp about the SDK's own bodies
async def test_an_item_over_two_megabytes_is_413(box: Box, refused: Refused) -> None:
    await box.create(job(text="x" * (2 * 1024 * 1024 - 1000)))
    assert await refused(box.upsert(job(text="x" * (2 * 1024 * 1024)))) == (413, 0)
    assert await refused(box.upsert(job(text="é" * (1024 * 1024)))) == (413, 0)
    await box.upsert(job(text="é" * (1024 * 1024 - 1000)))


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")  # aiohttp about the SDK's own bodies
async def test_a_request_far_beyond_the_limit_is_413(box: Box, refused: Refused) -> None:
    assert await refused(box.create(job(text="x" * (13 * 1024 * 1024)))) == (413, 0)


async def test_a_request_without_a_partition_key_is_400(box: Box, raw: Raw) -> None:
    await box.create(job())
    assert raw.send("GET", f"{raw.docs(box)}/job").status_code == 400
    assert raw.send("POST", raw.docs(box), content=b'{"id":"x"}').status_code == 400


async def test_a_partition_key_that_is_not_the_items_is_400_with_1001(box: Box, raw: Raw) -> None:
    headers = {"x-ms-documentdb-partitionkey": '["default","j2"]'}
    answer = raw.send("POST", raw.docs(box), content=b'{"id":"x","tenant":"default","job_id":"j1"}', headers=headers)
    assert (answer.status_code, answer.headers["x-ms-substatus"]) == (400, "1001")


async def test_a_point_operation_with_a_prefix_of_the_key_is_400_with_1001(box: Box, raw: Raw) -> None:
    headers = {"x-ms-documentdb-partitionkey": '["default"]'}
    answer = raw.send("GET", f"{raw.docs(box)}/job", headers=headers)
    assert (answer.status_code, answer.headers["x-ms-substatus"]) == (400, "1001")


async def test_integers_beyond_53_bits_lose_their_last_digits(box: Box) -> None:
    await box.create(job(exact=2**53, rounded=2**53 + 1, text=str(2**53 + 1)))
    read = await box.read("job", KEY)
    assert (read["exact"], read["rounded"], read["text"]) == (2**53, 2**53, str(2**53 + 1))


@pytest.mark.parametrize("sdk", ["aio"], indirect=True)  # the table is about the emulator
@pytest.mark.parametrize(
    "body", [b'{"id":"x","n":NaN}', b'{"id":"x","n":1e999}', b"{", b"[1]", b"\xff", b"[" * 100_000]
)
async def test_a_body_that_is_no_json_object_is_400(box: Box, raw: Raw, body: bytes) -> None:
    headers = {"x-ms-documentdb-partitionkey": '["default","j1"]'}
    assert raw.send("POST", raw.docs(box), content=body, headers=headers).status_code == 400


async def test_a_container_with_a_single_key_keeps_items_apart_by_value_and_type(desk: Desk) -> None:
    single = await desk.box("/pk")
    values = ["1", 1, True, None, 1.5, ""]
    for n, value in enumerate(values):
        await single.create({"id": "x", "pk": value, "n": n})
    assert [(await single.read("x", value))["n"] for value in values] == list(range(len(values)))


async def test_an_item_without_the_key_property_is_found_under_none(desk: Desk) -> None:
    from azure.cosmos.partition_key import NonePartitionKeyValue

    single = await desk.box("/pk")
    await single.create({"id": "x"})
    assert (await single.read("x", NonePartitionKeyValue))["id"] == "x"


async def test_a_nested_partition_key_path_is_followed(desk: Desk) -> None:
    nested = await desk.box("/a/b")
    await nested.create({"id": "x", "a": {"b": "v"}})
    assert (await nested.read("x", "v"))["id"] == "x"


async def test_read_all_items_lists_every_partition(box: Box) -> None:
    for n in range(150):
        await box.create({"id": "job", "tenant": "default", "job_id": f"j{n}"})
    assert len({item["job_id"] for item in await box.all_items()}) == 150
