"""Two physical partitions that split one tenant, and the hashes that decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from azure.cosmos import PartitionKey
from azure.cosmos.partition_key import NonePartitionKeyValue
from hypothesis import given
from hypothesis import strategies as st

from azure_local_emulators.cosmos.partitioning import PartitionKeyDefinition, effective_partition_key, hash_of
from azure_local_emulators.cosmos.values import UNDEFINED

if TYPE_CHECKING:
    from tests.contract.cosmos.conftest import Box, Desk, Raw, Refused

JOBS = 40
component = st.one_of(
    st.text(max_size=60),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.none(),
)


@given(st.lists(component, min_size=1, max_size=3))
def test_hierarchical_keys_hash_as_in_the_sdk(values: list[Any]) -> None:
    definition = PartitionKeyDefinition((("a",), ("b",), ("c",)), hierarchical=True)
    oracle = PartitionKey(["/a", "/b", "/c"])._get_effective_partition_key_string(values)
    assert effective_partition_key(values, definition) == oracle


@given(component)
def test_single_keys_hash_as_in_the_sdk(value: Any) -> None:
    definition = PartitionKeyDefinition((("a",),), hierarchical=False)
    assert effective_partition_key([value], definition) == PartitionKey("/a")._get_effective_partition_key_string(
        [value]
    )


def test_a_missing_key_hashes_as_in_the_sdk() -> None:
    assert hash_of((UNDEFINED,)) == PartitionKey("/a")._get_effective_partition_key_string([NonePartitionKeyValue])


@pytest.fixture
async def jobs(box: Box) -> Box:
    """40 jobs of the split tenant and 10 of another."""
    for n in range(JOBS):
        await box.create({"id": "job", "tenant": "default", "job_id": f"j{n}", "n": n})
    for n in range(10):
        await box.create({"id": "job", "tenant": "other", "job_id": f"j{n}", "n": 1000 + n})
    return box


async def test_a_container_has_two_ranges_and_the_split_tenant_lies_in_both(jobs: Box) -> None:
    ranges = await jobs.feed_ranges()
    found = [
        {row["tenant"] for row in await jobs.query("SELECT * FROM c", feed_range=feed_range)} for feed_range in ranges
    ]
    assert len(ranges) == 2
    assert all("default" in tenants for tenants in found)
    assert sum("other" in tenants for tenants in found) == 1


async def test_a_prefix_query_finds_the_tenant_in_both_ranges_and_nobody_else(jobs: Box) -> None:
    rows = await jobs.query("SELECT VALUE c.n FROM c", partition_key=["default"])
    assert sorted(rows) == list(range(JOBS))


async def test_a_prefix_query_needs_no_filter_to_stay_within_its_tenant(jobs: Box) -> None:
    rows = await jobs.query("SELECT VALUE c.tenant FROM c", partition_key=["other"])
    assert set(rows) == {"other"}


async def test_the_sdk_only_concatenates_the_ranges_of_an_ordered_prefix_query(jobs: Box) -> None:
    text = "SELECT TOP 5 VALUE c.n FROM c WHERE c.tenant = 'default' ORDER BY c.n DESC"
    rows = await jobs.query(text, partition_key=["default"])
    assert len(rows) == 10
    assert rows[:5] == sorted(rows[:5], reverse=True)
    assert rows[5:] == sorted(rows[5:], reverse=True)
    assert rows != sorted(rows, reverse=True)


async def test_the_top_of_each_range_merged_is_the_top_of_the_tenant(jobs: Box) -> None:
    text = "SELECT TOP 5 VALUE c.n FROM c WHERE c.tenant = 'default' ORDER BY c.n DESC"
    rows = [row for feed_range in await jobs.feed_ranges() for row in await jobs.query(text, feed_range=feed_range)]
    assert sorted(rows, reverse=True)[:5] == [39, 38, 37, 36, 35]


async def test_each_range_counts_only_its_own_items(jobs: Box) -> None:
    counts = [await jobs.query("SELECT VALUE COUNT(1) FROM c", feed_range=one) for one in await jobs.feed_ranges()]
    assert sum(count for (count,) in counts) == JOBS + 10
    assert all(count > 0 for (count,) in counts)


async def test_a_prefix_query_pages_through_both_ranges(jobs: Box) -> None:
    rows = await jobs.query("SELECT VALUE c.n FROM c", partition_key=["default"], max_item_count=7)
    assert sorted(rows) == list(range(JOBS))


async def test_a_plain_filter_runs_over_all_partitions(jobs: Box) -> None:
    assert sorted(await jobs.query("SELECT VALUE c.n FROM c WHERE c.n >= 38")) == [38, 39, *range(1000, 1010)]


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM c ORDER BY c.n",
        "SELECT TOP 3 * FROM c",
        "SELECT * FROM c OFFSET 1 LIMIT 2",
        "SELECT VALUE COUNT(1) FROM c",
        "SELECT DISTINCT c.tenant FROM c",
    ],
)
async def test_what_partitions_must_answer_together_is_refused(
    jobs: Box, raw: Raw, refused: Refused, text: str
) -> None:
    assert await refused(jobs.query(text)) == (400, 0)
    headers = {"x-ms-documentdb-isquery": "true", "x-ms-documentdb-query-enablecrosspartition": "True"}
    answer = raw.send("POST", raw.docs(jobs), content=f'{{"query":"{text}"}}'.encode(), headers=headers)
    assert (answer.status_code, answer.headers["x-ms-substatus"]) == (400, "1004")


async def test_a_query_over_all_partitions_must_be_asked_for(jobs: Box, raw: Raw) -> None:
    headers = {"x-ms-documentdb-isquery": "true"}
    answer = raw.send("POST", raw.docs(jobs), content=b'{"query":"SELECT * FROM c"}', headers=headers)
    assert answer.status_code == 400
    assert "x-ms-documentdb-query-enablecrosspartition" in answer.json()["message"]


async def test_an_unknown_range_is_gone(jobs: Box, raw: Raw) -> None:
    headers = {"x-ms-documentdb-isquery": "true", "x-ms-documentdb-partitionkeyrangeid": "7"}
    answer = raw.send("POST", raw.docs(jobs), content=b'{"query":"SELECT * FROM c"}', headers=headers)
    assert (answer.status_code, answer.headers["x-ms-substatus"]) == (410, "1002")


async def test_a_container_with_a_single_key_has_two_partitions_too(desk: Desk) -> None:
    single = await desk.box("/pk")
    for n in range(30):
        await single.create({"id": "x", "pk": f"p{n}"})
    sizes = [len(await single.query("SELECT * FROM c", feed_range=one)) for one in await single.feed_ranges()]
    assert len(sizes) == 2
    assert min(sizes) > 0
    assert sum(sizes) == 30
