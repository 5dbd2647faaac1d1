"""The query language within one partition: what it selects, orders, counts and refuses."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azure_local_emulators.cosmos.errors import ServiceError
from azure_local_emulators.cosmos.query import bind, condition
from azure_local_emulators.cosmos.values import sort_key

if TYPE_CHECKING:
    from tests.contract.cosmos.conftest import Box, Desk, Refused

KEY = ["default", "j1"]
ITEMS: list[dict[str, Any]] = [
    {"id": "a", "n": 3, "s": "apple", "flag": True, "list": ["x", {"k": 1, "l": 2}], "o": {"p": {"q": 1}}},
    {"id": "b", "n": 1, "s": "Banana", "flag": False, "nothing": None},
    {"id": "c", "n": 2.5, "s": "50%_[x]", "list": []},
    {"id": "d", "n": "3", "s": 7},
    {"id": "e"},
]
ROWS = [(item["id"], item) for item in ITEMS]


def run(text: str, **parameters: Any) -> list[Any]:
    return [row.value for row in bind(text, {f"@{name}": value for name, value in parameters.items()}).rows(ROWS)]


def ids_where(test: str) -> str:
    return "".join(run(f"SELECT VALUE c.id FROM c WHERE {test}"))


@pytest.mark.parametrize(
    ("test", "ids"),
    [
        ("c.n = 3", "a"),
        ("c.n = '3'", "d"),
        ("c.n != 3", "bcd"),
        ("c.n <> 3", "bcd"),
        ("c.n > 1", "ac"),
        ("c.n > '1'", "d"),
        ("c.n >= 2.5 AND c.n <= 3", "ac"),
        ("c.missing = c.missing", ""),
        ("NOT (c.missing = 1)", ""),
        ("c.nothing = null", "b"),
        ("c.nothing >= null", "b"),
        ("c.missing = null", ""),
        ("c.flag", "a"),
        ("NOT c.flag", "b"),
        ("NOT c.n = 3", ""),
        ("c.n", ""),
        ("c.flag = true OR c.missing = 1", "a"),
        ("c.missing = 1 OR c.flag = true", "a"),
        ("NOT (c.missing = 1 AND c.flag)", "b"),
        ("NOT (c.missing = 1 OR c.flag)", ""),
        ("c.n IN (1, 2.5, 'x')", "bc"),
        ("c.n NOT IN (1, 2.5)", "ad"),
        ("c.missing NOT IN (1)", ""),
        ("c.n BETWEEN 2 AND 3", "ac"),
        ("c.n NOT BETWEEN 2 AND 3", "b"),
        ("c.s LIKE '%an%'", "b"),
        ("c.s LIKE '_pple'", "a"),
        ("c.s LIKE '50!%!_%' ESCAPE '!'", "c"),
        ("c.s LIKE '[a-c]pple'", "a"),
        ("c.s LIKE '[^a]anana'", "b"),
        ("c.s NOT LIKE '%a%'", "c"),
        ("IS_DEFINED(c.n)", "abcd"),
        ("NOT IS_DEFINED(c.n)", "e"),
        ("IS_NULL(c.nothing)", "b"),
        ("IS_NUMBER(c.n) AND IS_STRING(c.s)", "abc"),
        ("IS_ARRAY(c.list) OR IS_BOOL(c.flag)", "abc"),
        ("IS_OBJECT(c.o)", "a"),
        ("STARTSWITH(c.s, 'ba', true)", "b"),
        ("STARTSWITH(c.s, 'ba')", ""),
        ("ENDSWITH(c.s, 'le')", "a"),
        ("CONTAINS(c.s, '%_[')", "c"),
        ("LOWER(c.s) = 'banana' OR UPPER(c.s) = 'APPLE'", "ab"),
        ("LENGTH(c.s) = 6", "b"),
        ("ARRAY_CONTAINS(c.list, 'x')", "a"),
        ("ARRAY_CONTAINS(c.list, {'k': 1}, true)", "a"),
        ("ARRAY_CONTAINS(c.list, {'k': 1})", ""),
        ("ARRAY_CONTAINS(['a', 'b'], c.id)", "ab"),
        ("ARRAY_CONTAINS(['b'], c.id)", "b"),
        ("ARRAY_LENGTH(c.list) = 0", "c"),
        ("c.o.p.q = 1", "a"),
        ('c["o"]["p"].q = 1', "a"),
        ("c.list[1].k = 1", "a"),
        ("c.list[-1] = 1", ""),
        ("c.n + 1 = 4", "a"),
        ("c.n * 2 - 1 = 4", "c"),
        ("c.n / 0 > 0", ""),
        ("c.n % 2 = 1", "ab"),
        ("-c.n = -3", "a"),
        ("c.s || '!' = 'apple!'", "a"),
        ("(c.missing ?? c.n) = 1", "b"),
        ("(c.flag ? 1 : 2) = 2", "bcde"),
        ("c.list = ['x', {'l': 2, 'k': 1}]", "a"),
        ("true", "abcde"),
        ("undefined = undefined", ""),
        ("c.id = 'a' -- a comment\n OR c.id = 'b'", "ab"),
        ("c.s = '\\u0061pple' OR c.s = \"Banana\"", "ab"),
    ],
)
def test_a_filter_keeps_exactly_what_is_true(test: str, ids: str) -> None:
    assert ids_where(test) == ids


def test_a_list_of_columns_leaves_undefined_ones_out() -> None:
    assert run("SELECT c.id, c.n, c.o.p AS inner, c.n + 1, c['s'] FROM c WHERE c.id IN ('a', 'e')") == [
        {"id": "a", "n": 3, "inner": {"q": 1}, "$4": 4, "s": "apple"},
        {"id": "e"},
    ]


def test_an_alias_names_the_item_and_the_container_name_no_longer_does() -> None:
    assert run("SELECT j FROM jobs AS j WHERE j.id = 'e'") == [{"j": {"id": "e"}}]
    assert run("SELECT VALUE j.id FROM jobs j WHERE j.n = 1") == ["b"]
    with pytest.raises(ServiceError, match="could not be resolved"):
        run("SELECT * FROM jobs j WHERE jobs.n = 1")


def test_value_skips_what_is_undefined_and_builds_what_it_is_told() -> None:
    assert run("SELECT VALUE c.n FROM c") == [3, 1, 2.5, "3"]
    assert run("SELECT VALUE {'id': c.id, pair: [c.n, c.missing]} FROM c WHERE c.id = 'a'") == [
        {"id": "a", "pair": [3]}
    ]


def test_order_by_ranks_types_and_keeps_items_without_the_property() -> None:
    assert run("SELECT VALUE c.id FROM c ORDER BY c.n") == ["e", "b", "c", "a", "d"]
    assert run("SELECT VALUE c.id FROM c ORDER BY c.n DESC") == ["d", "a", "c", "b", "e"]


def test_top_and_offset_limit_cut_after_ordering() -> None:
    assert run("SELECT TOP 2 VALUE c.id FROM c ORDER BY c.n") == ["e", "b"]
    assert run("SELECT TOP @k VALUE c.id FROM c", k=1) == ["a"]
    assert run("SELECT VALUE c.id FROM c ORDER BY c.n OFFSET 1 LIMIT @k", k=2) == ["b", "c"]
    assert run("SELECT VALUE c.id FROM c OFFSET 9 LIMIT 2") == []


@pytest.mark.parametrize(
    ("column", "result"),
    [
        ("COUNT(1)", 5),
        ("COUNT(c.n)", 4),
        ("COUNT(c.missing)", 0),
        ("MIN(c.n)", 1),
        ("MAX(c.n)", "3"),
        ("SUM(c.o.p.q)", 1),
        ("AVG(c.o.p.q)", 1),
        ("COUNT(1) + 1", 6),
    ],
)
def test_an_aggregate_is_one_row(column: str, result: Any) -> None:
    assert run(f"SELECT VALUE {column} FROM c") == [result]


def test_an_aggregate_without_a_value_has_no_row() -> None:
    assert run("SELECT VALUE SUM(c.n) FROM c") == []
    assert run("SELECT VALUE MIN(c.missing) FROM c") == []
    assert run("SELECT COUNT(1) AS n, MAX(c.n) AS most FROM c WHERE c.n < 3") == [{"n": 2, "most": 2.5}]


def test_distinct_compares_deeply() -> None:
    assert run("SELECT DISTINCT VALUE IS_DEFINED(c.n) FROM c") == [True, False]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SELECT",
        "SELECT * FROM",
        "SELECT * FROM c WHERE",
        "SELECT * FROM c WHERE c.n =",
        "SELECT * FROM c WHERE c.n = 1 2",
        "SELECT * FROM c WHERE (c.n = 1",
        "SELECT * FROM c WHERE x.n = 1",
        "SELECT * FROM c WHERE NOSUCH(c.n)",
        "SELECT * FROM c WHERE STARTSWITH(c.n)",
        "SELECT * FROM c WHERE c.n = @missing",
        "SELECT * FROM c WHERE c.s = 'open",
        "SELECT * FROM c WHERE c.n = 1e999",
        "SELECT * FROM c WHERE COUNT(1) > 1",
        "SELECT * FROM c ORDER BY c.n + 1",
        "SELECT * FROM c ORDER BY 1",
        "SELECT TOP -1 * FROM c",
        "SELECT TOP 'x' * FROM c",
        "SELECT * FROM c OFFSET 1",
        "SELECT c.n, c.n FROM c",
        "SELECT c.value FROM c",
        "SELECT * FROM c WHERE c.order = 1",
        "SELECT c.n AS top FROM c",
        "SELECT VALUE c.n, c.s FROM c",
        "SELECT COUNT(1), c.n FROM c",
        "SELECT * FROM c JOIN x IN c.list",
        "SELECT * FROM x IN c.list",
        "SELECT * FROM c.list",
        "SELECT c.n, COUNT(1) AS k FROM c GROUP BY c.n",
        "SELECT COUNT(1) AS k FROM c GROUP BY c.n",
        "SELECT * FROM c WHERE EXISTS(SELECT VALUE x FROM x IN c.list)",
        "SELECT * FROM c WHERE c.n = (SELECT VALUE 1)",
        "SELECT ARRAY(SELECT VALUE 1) FROM c",
        "SELECT udf.f(c.n) FROM c",
        "DELETE FROM c",
        "SELECT * FROM c WHERE " + "(" * 5000 + "true" + ")" * 5000,
    ],
)
def test_what_cannot_be_compiled_is_400(text: str) -> None:
    with pytest.raises(ServiceError) as raised:
        run(text)
    assert raised.value.status == 400


def test_a_property_named_like_a_keyword_is_reached_with_brackets() -> None:
    assert bind("SELECT VALUE c['value'] FROM c WHERE c[\"order\"] = 1", {}).rows([("x", {"order": 1, "value": 2})])


def test_long_chains_of_and_and_or_do_not_nest() -> None:
    assert ids_where(" OR ".join(["c.n = 1"] * 3000)) == "b"
    assert ids_where("c.id IN (" + ", ".join(f"'{n}'" for n in range(5000)) + ", 'a')") == "a"


WORDS = """SELECT VALUE * TOP 1 DISTINCT c FROM WHERE c.n c.s c.list[0] = != < AND OR NOT IN ( ) , 'x' 2 -1 null ORDER
    BY undefined @p DESC OFFSET LIMIT COUNT(1) IS_DEFINED( BETWEEN LIKE '%' ? : ?? [ ] { } + * / % || LENGTH(c.s)"""
words = st.sampled_from(WORDS.split())


def status_of(text: str) -> int:
    try:
        run(text, p=1)
    except ServiceError as refusal:
        return refusal.status
    return 200


@given(st.one_of(st.text(max_size=80), st.lists(words, max_size=20).map(" ".join)))
def test_any_text_is_an_answer_or_a_refusal(text: str) -> None:
    for attempt in (text, f"SELECT * FROM c WHERE {text}", f"SELECT VALUE {text} FROM c"):
        assert status_of(attempt) in (200, 400)


scalars = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.floats(-9, 9), st.text(max_size=3))


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3)


values = st.recursive(scalars, nested, max_leaves=8)


@given(values, values)
def test_comparisons_agree_with_each_other(left: Any, right: Any) -> None:
    def truth(test: str) -> list[bool]:
        query = bind(f"SELECT VALUE {test} FROM c", {"@l": left, "@r": right})
        return [row.value for row in query.rows([("x", {})])]

    equal, differs = truth("@l = @r"), truth("@l != @r")
    assert equal == [not value for value in differs]
    less, more = truth("@l < @r"), truth("@l > @r")
    assert len(less) == len(more)
    if less:
        assert [*less, *more, *equal].count(True) == 1
        assert less == [sort_key(left) < sort_key(right)]


@given(st.text(), st.sampled_from("'\""))
def test_a_string_literal_means_itself(text: str, quote: str) -> None:
    literal = quote + text.replace("\\", "\\\\").replace(quote, "\\" + quote) + quote
    assert condition(f"FROM c WHERE c.x = {literal}")({"x": text})


@given(st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_literal_means_itself(number: float) -> None:
    holds = condition(f"FROM c WHERE c.x = {number!r}")
    assert holds({"x": number})
    assert not holds({"x": number + 1 if abs(number) < 1e15 else math.copysign(1.0, number)}) or abs(number) == 1


@pytest.fixture
async def filled(box: Box) -> Box:
    """25 items in one logical partition."""
    for n in range(25):
        await box.create({"id": f"i{n:02}", "tenant": "default", "job_id": "j1", "n": n, "even": n % 2 == 0})
    await box.create({"id": "elsewhere", "tenant": "default", "job_id": "j2", "n": 100})
    return box


async def test_a_query_with_a_full_key_sees_only_its_logical_partition(filled: Box) -> None:
    assert await filled.query("SELECT VALUE COUNT(1) FROM c", partition_key=KEY) == [25]


async def test_parameters_travel_with_the_query(filled: Box) -> None:
    parameters = [{"name": "@low", "value": 20}, {"name": "@even", "value": True}]
    rows = await filled.query(
        "SELECT VALUE c.n FROM c WHERE c.n > @low AND c.even = @even ORDER BY c.n DESC",
        parameters=parameters,
        partition_key=KEY,
    )
    assert rows == [24, 22]


@pytest.mark.parametrize("order", ["", " ORDER BY c.n DESC"])
async def test_pages_cover_every_item_once(filled: Box, order: str) -> None:
    rows = await filled.query(f"SELECT VALUE c.n FROM c{order}", partition_key=KEY, max_item_count=4)
    assert sorted(rows) == list(range(25))
    assert not order or rows == sorted(rows, reverse=True)


async def test_deleting_between_pages_neither_skips_nor_repeats(filled: Box) -> None:
    pages = filled.container.query_items("SELECT VALUE c.n FROM c", partition_key=KEY, max_item_count=10).by_page()
    first = [row async for row in await pages.__anext__()] if hasattr(pages, "__anext__") else list(next(pages))
    for n in range(5):
        await filled.delete(f"i{n:02}", KEY)
    token = pages.continuation_token
    rest = filled.container.query_items("SELECT VALUE c.n FROM c", partition_key=KEY, max_item_count=100).by_page(token)
    second = [row async for row in await rest.__anext__()] if hasattr(rest, "__anext__") else list(next(rest))
    assert sorted(first + second) == list(range(25))


async def test_a_page_has_a_hundred_items_unless_told_otherwise(box: Box) -> None:
    for n in range(101):
        await box.create({"id": f"i{n}", "tenant": "default", "job_id": "j1"})
    pages = box.container.query_items("SELECT * FROM c", partition_key=KEY).by_page()
    first = [row async for row in await pages.__anext__()] if hasattr(pages, "__anext__") else list(next(pages))
    assert len(first) == 100


async def test_a_page_ends_at_four_megabytes(box: Box) -> None:
    for n in range(6):
        await box.create({"id": f"i{n}", "tenant": "default", "job_id": "j1", "text": "x" * 900_000})
    pages = box.container.query_items("SELECT * FROM c", partition_key=KEY).by_page()
    first = [row async for row in await pages.__anext__()] if hasattr(pages, "__anext__") else list(next(pages))
    assert len(first) == 4
    assert len(await box.query("SELECT * FROM c", partition_key=KEY)) == 6


async def test_ordering_by_two_properties_needs_a_composite_index(filled: Box, desk: Desk, refused: Refused) -> None:
    text = "SELECT VALUE c.n FROM c ORDER BY c.even DESC, c.n DESC"
    assert await refused(filled.query(text, partition_key=KEY)) == (400, 0)
    ascending = [{"path": "/even", "order": "ascending"}, {"path": "/n", "order": "ascending"}]
    policy = {"includedPaths": [{"path": "/*"}], "excludedPaths": [], "compositeIndexes": [ascending]}
    indexed = await desk.box(indexing_policy=policy)
    for n in range(4):
        await indexed.create({"id": f"i{n}", "tenant": "default", "job_id": "j1", "n": n, "even": n % 2 == 0})
    assert await indexed.query(text, partition_key=KEY) == [2, 0, 3, 1]
    mixed = "SELECT VALUE c.n FROM c ORDER BY c.even DESC, c.n ASC"
    assert await refused(indexed.query(mixed, partition_key=KEY)) == (400, 0)


async def test_ordering_by_an_excluded_path_is_400(desk: Desk, refused: Refused) -> None:
    policy = {"includedPaths": [{"path": "/*"}], "excludedPaths": [{"path": "/big/*"}, {"path": "/n/?"}]}
    excluded = await desk.box(indexing_policy=policy)
    for path in ("c.n", "c.big.inner"):
        assert await refused(excluded.query(f"SELECT * FROM c ORDER BY {path}", partition_key=KEY)) == (400, 0)
    assert await excluded.query("SELECT * FROM c ORDER BY c.other", partition_key=KEY) == []


async def test_a_query_that_cannot_be_read_is_400_through_the_sdk(box: Box, refused: Refused) -> None:
    assert await refused(box.query("SELEC * FROM c", partition_key=KEY)) == (400, 0)


async def test_the_change_feed_is_refused(box: Box, refused: Refused) -> None:
    async def changes() -> list[Any]:
        feed = box.container.query_items_change_feed(start_time="Beginning", partition_key=KEY)
        return [row async for row in feed] if hasattr(feed, "__aiter__") else list(feed)

    assert await refused(changes()) == (400, 0)
