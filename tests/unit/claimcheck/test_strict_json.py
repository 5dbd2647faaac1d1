"""claimcheck/strict_json.py: what Python's own reader lets pass."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claimcheck.strict_json import MAX_DEPTH, MAX_INTEGER, parse

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(VALUES)
def test_json_is_read_as_it_was_written(value: Any) -> None:
    assert parse(json.dumps(value)) == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Expecting value"),
        ("{", "Expecting property name"),
        ("{} {}", "Extra data"),
        ("\ufeff{}", "BOM"),
        ("NaN", "nan is no finite number"),
        ("[-Infinity]", "-Infinity is no finite number"),
        ("1e999", "1e999 is no finite number"),
        ("9" * 5000, "4300 digits"),
        ("[-" + "9" * 4000 + "]", "has 4001 digits; integers up to 9,007,199,254,740,991 are expected"),
        (str(MAX_INTEGER + 1), "has 16 digits; integers up to"),
        ('{"a": 1, "a": 1}', "the name 'a' occurs twice"),
        ('[{"b": {"a": 1, "c": 2, "a": 1}}]', "the name 'a' occurs twice"),
        (r'"\ud800"', "surrogates not allowed"),
        (r'{"\udc00": 1}', "surrogates not allowed"),
        ("[" * 60_000, "nested too deeply; the limit is 32 levels"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "nested too deeply; the limit is 32 levels"),
        ('{"a":' * 5_000 + "1" + "}" * 5_000, "nested too deeply; the limit is 32 levels"),
    ],
)
def test_what_is_no_json_or_cannot_be_kept_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match="(?i)" + said):
        parse(text)


def test_what_is_as_deep_as_the_limit_is_read() -> None:
    assert parse("[" * MAX_DEPTH + "]" * MAX_DEPTH)


@given(st.text(max_size=100) | st.text('[]{}":,0', max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        parse(text)
