"""Partial document update."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from azure.core import MatchConditions

if TYPE_CHECKING:
    from tests.contract.cosmos.conftest import Box, Refused

KEY = ["default", "j1"]


@pytest.fixture
async def job(box: Box) -> dict[str, Any]:
    """The item that every test here patches."""
    body = {"id": "job", "tenant": "default", "job_id": "j1", "n": 1, "list": [1, 2, 3], "run": {"owner": "a"}}
    return await box.create({**body, "nothing": None, "a/b": 1})


def stripped(item: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if not name.startswith("_")}


@pytest.mark.parametrize("sdk", ["aio"], indirect=True)  # the table is about the emulator
@pytest.mark.parametrize(
    ("operation", "changes"),
    [
        ({"op": "set", "path": "/n", "value": 5}, {"n": 5}),
        ({"op": "set", "path": "/new", "value": {"a": [1]}}, {"new": {"a": [1]}}),
        ({"op": "set", "path": "/n", "value": None}, {"n": None}),
        ({"op": "set", "path": "/list/0", "value": 9}, {"list": [9, 2, 3]}),
        ({"op": "set", "path": "/run/owner", "value": "b"}, {"run": {"owner": "b"}}),
        ({"op": "add", "path": "/n", "value": 5}, {"n": 5}),
        ({"op": "add", "path": "/list/0", "value": 9}, {"list": [9, 1, 2, 3]}),
        ({"op": "add", "path": "/list/3", "value": 9}, {"list": [1, 2, 3, 9]}),
        ({"op": "add", "path": "/list/-", "value": 9}, {"list": [1, 2, 3, 9]}),
        ({"op": "replace", "path": "/run", "value": 7}, {"run": 7}),
        ({"op": "replace", "path": "/a~1b", "value": 7}, {"a/b": 7}),
        ({"op": "incr", "path": "/n", "value": 2}, {"n": 3}),
        ({"op": "incr", "path": "/n", "value": -1.5}, {"n": -0.5}),
        ({"op": "incr", "path": "/fresh", "value": 2}, {"fresh": 2}),
        ({"op": "incr", "path": "/list/1", "value": 2}, {"list": [1, 4, 3]}),
        ({"op": "move", "from": "/n", "path": "/run/n"}, {"n": ..., "run": {"owner": "a", "n": 1}}),
        ({"op": "remove", "path": "/run/owner"}, {"run": {}}),
        ({"op": "remove", "path": "/list/1"}, {"list": [1, 3]}),
        ({"op": "remove", "path": "/nothing"}, {"nothing": ...}),
    ],
)
async def test_an_operation_changes_exactly_what_it_names(
    box: Box, job: dict[str, Any], operation: dict[str, Any], changes: dict[str, Any]
) -> None:
    patched = await box.patch("job", KEY, [operation])
    expected = {name: value for name, value in {**stripped(job), **changes}.items() if value is not ...}
    assert stripped(patched) == expected
    assert await box.read("job", KEY) == patched
    assert patched["_etag"] != job["_etag"]


@pytest.mark.parametrize("sdk", ["aio"], indirect=True)  # the table is about the emulator
@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "/missing", "value": 1},
        {"op": "remove", "path": "/missing"},
        {"op": "set", "path": "/missing/child", "value": 1},
        {"op": "incr", "path": "/missing/child", "value": 1},
        {"op": "set", "path": "/n/child", "value": 1},
        {"op": "set", "path": "/list/3", "value": 1},
        {"op": "add", "path": "/list/4", "value": 1},
        {"op": "add", "path": "/list/x", "value": 1},
        {"op": "incr", "path": "/run", "value": 1},
        {"op": "incr", "path": "/nothing", "value": 1},
        {"op": "incr", "path": "/n", "value": "1"},
        {"op": "move", "from": "/missing", "path": "/n"},
        {"op": "move", "from": "/run", "path": "/run/inside"},
        {"op": "set", "path": "/id", "value": "x"},
        {"op": "set", "path": "/tenant", "value": "x"},
        {"op": "remove", "path": "/job_id"},
        {"op": "move", "from": "/tenant", "path": "/n"},
        {"op": "set", "path": "/_etag", "value": "x"},
        {"op": "set", "path": "n", "value": 1},
        {"op": "set", "path": "/", "value": 1},
        {"op": "set", "path": "/n"},
        {"op": "multiply", "path": "/n", "value": 2},
        {"op": "set", "path": "/ttl", "value": 0},
    ],
)
async def test_an_operation_that_does_not_fit_is_400_and_undoes_the_ones_before(
    box: Box, job: dict[str, Any], refused: Refused, operation: dict[str, Any]
) -> None:
    assert await refused(box.patch("job", KEY, [{"op": "set", "path": "/n", "value": 99}, operation])) == (400, 0)
    assert await box.read("job", KEY) == job


async def test_operations_see_the_ones_before(box: Box, job: dict[str, Any]) -> None:
    operations: list[dict[str, Any]] = [
        {"op": "set", "path": "/new", "value": {"a": 1}},
        {"op": "incr", "path": "/new/a", "value": 1},
        {"op": "move", "from": "/new/a", "path": "/b"},
    ]
    patched = await box.patch("job", KEY, operations)
    assert (patched["new"], patched["b"]) == ({}, 2)


async def test_eleven_operations_are_one_too_many(box: Box, job: dict[str, Any], refused: Refused) -> None:
    operations = [{"op": "incr", "path": "/n", "value": 1}] * 11
    assert await refused(box.patch("job", KEY, operations)) == (400, 0)
    assert (await box.patch("job", KEY, operations[:10]))["n"] == 11
    assert await refused(box.patch("job", KEY, [])) == (400, 0)


async def test_a_condition_that_holds_lets_the_patch_through(box: Box, job: dict[str, Any]) -> None:
    condition = "FROM c WHERE c.run.owner = 'a' AND c.n IN (1, 2) AND NOT IS_DEFINED(c.due_at)"
    patched = await box.patch("job", KEY, [{"op": "incr", "path": "/n", "value": 1}], filter_predicate=condition)
    assert patched["n"] == 2


@pytest.mark.parametrize("condition", ["FROM c WHERE c.n = 2", "from c where c.missing = 1", "FROM c WHERE c.n = '1'"])
async def test_a_condition_that_is_not_true_is_412_with_1110(
    box: Box, job: dict[str, Any], refused: Refused, condition: str
) -> None:
    patch = box.patch("job", KEY, [{"op": "incr", "path": "/n", "value": 1}], filter_predicate=condition)
    assert await refused(patch) == (412, 1110)
    assert await box.read("job", KEY) == job


@pytest.mark.parametrize(
    "condition", ["c.n = 1", "FROM c", "FROM c WHERE", "FROM c WHERE COUNT(1) = 1", "FROM c WHERE x = 1"]
)
async def test_a_condition_that_cannot_be_read_is_400(
    box: Box, job: dict[str, Any], refused: Refused, condition: str
) -> None:
    patch = box.patch("job", KEY, [{"op": "incr", "path": "/n", "value": 1}], filter_predicate=condition)
    assert await refused(patch) == (400, 0)


async def test_a_patch_honours_if_match(box: Box, job: dict[str, Any], refused: Refused) -> None:
    operations = [{"op": "incr", "path": "/n", "value": 1}]
    await box.patch("job", KEY, operations, etag=job["_etag"], match_condition=MatchConditions.IfNotModified)
    stale = box.patch("job", KEY, operations, etag=job["_etag"], match_condition=MatchConditions.IfNotModified)
    assert await refused(stale) == (412, 0)
