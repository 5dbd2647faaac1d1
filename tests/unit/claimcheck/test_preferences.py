"""The `Prefer` header, as RFC 7240 writes it and as clients do."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claimcheck.preferences import LONGEST_WAIT, applied, read_wait


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        (["wait=10"], 10),
        (["WAIT=10"], 10),
        (["wait = 10"], 10),
        (['wait="10"'], 10),
        (["wait=0"], 0),
        (["wait=007"], 7),
        (["wait=60"], 60),
        (["wait=61"], 60),
        ([f"wait={'9' * 5000}"], 60),
        (["respond-async, wait=10"], 10),
        (["respond-async,wait=10;why=not, handling=lenient"], 10),
        (["return=minimal; foo=bar , wait=10"], 10),
        (["respond-async", "wait=10"], 10),
        (["wait=3, wait=9"], 3),
        (["wait=3", "wait=9"], 3),
        (['note="wait=9, wait=8", wait=3'], 3),
        (['note="a \\" b, wait=9", wait=3'], 3),
        ([", ,wait=3,"], 3),
        ([], None),
        ([""], None),
        (["wait"], None),
        (["wait="], None),
        (["wait=-1"], None),
        (["wait=+1"], None),
        (["wait=1.5"], None),
        (["wait=soon"], None),
        (["wait=٣"], None),
        (["wait=soon, wait=9"], None),
        (["waiting=9"], None),
        (["foo; wait=9"], None),
        (['note="wait=9'], None),
        (["respond-async"], None),
    ],
)
def test_wait_is_read_and_what_makes_no_sense_is_ignored(headers: list[str], wait_s: int | None) -> None:
    assert read_wait(headers) == (None if wait_s is None else timedelta(seconds=wait_s))


@given(st.lists(st.text(alphabet='wait=019"\\,; \t', max_size=40), max_size=3))
def test_no_header_is_an_error(headers: list[str]) -> None:
    wait = read_wait(headers)
    assert wait is None or timedelta(0) <= wait <= LONGEST_WAIT


@pytest.mark.parametrize("piece", ['"', '\\"', '"\\', ",", ";", '="', 'a="b;', " ", "a=", "\\"])
def test_long_header_of_any_shape_is_read_in_no_time(piece: str) -> None:
    header = piece * (32 * 1024 // len(piece))
    began_at = time.process_time()
    assert read_wait([header]) is None
    assert time.process_time() - began_at < 0.5


def test_applied_wait_says_how_long_it_was() -> None:
    assert applied(timedelta(seconds=60)) == {"Preference-Applied": "wait=60"}
