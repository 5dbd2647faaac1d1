"""How much text and answer a question may have, and in which groups partial summaries are combined."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claimcheck.errors import ContextTooLong
from services.worker.language.budget import (
    LEAST_TOKENS,
    answer_tokens,
    estimated_tokens,
    window_bytes,
    words_of_part,
)
from services.worker.language.combining import fitted, grouped, joined

INSTRUCTIONS = "x" * 300


@pytest.mark.parametrize(
    ("words", "at_least", "context", "expected"),
    [(200, 1024, 128_000, 1024), (2000, 1024, 128_000, 6000), (200, 1024, 2048, 682), (10, 16, 128_000, 30)],
)
def test_an_answer_has_room_for_its_words_and_leaves_room_for_the_text(
    words: int, at_least: int, context: int, expected: int
) -> None:
    assert answer_tokens(words, at_least=at_least, context_tokens=context) == expected


@pytest.mark.parametrize(
    ("context", "window", "output", "expected"),
    [(128_000, 6000, 1024, 18_000), (2048, 6000, 682, 3 * (2048 - 100 - 40 - 682)), (128_000, 256, 1024, 768)],
)
def test_a_window_is_what_the_settings_say_or_the_context_leaves(
    context: int, window: int, output: int, expected: int
) -> None:
    found = window_bytes(INSTRUCTIONS, context_tokens=context, window_tokens=window, output_tokens=output)
    assert found == expected


def test_a_context_without_room_for_a_text_is_refused_with_its_size() -> None:
    context = 100 + 40 + 170 + LEAST_TOKENS
    assert window_bytes(INSTRUCTIONS, context_tokens=context, window_tokens=6000, output_tokens=170) == LEAST_TOKENS * 3
    with pytest.raises(ContextTooLong, match="has 437 tokens, of which instructions and answer take 310"):
        window_bytes(INSTRUCTIONS, context_tokens=context - 1, window_tokens=6000, output_tokens=170)


@given(st.binary(max_size=50))
def test_an_estimate_is_never_below_a_third_of_the_bytes(data: bytes) -> None:
    assert len(data) <= 3 * estimated_tokens(len(data)) < len(data) + 3


@pytest.mark.parametrize(
    ("max_words", "parts", "expected"),
    [(200, 1, 200), (200, 2, 200), (200, 3, 133), (200, 28, 100), (2000, 28, 142), (10, 2, 100), (2000, 2, 2000)],
)
def test_parts_together_say_about_twice_the_whole(max_words: int, parts: int, expected: int) -> None:
    assert words_of_part(max_words, parts) == expected


@given(st.lists(st.text(min_size=1, max_size=60), min_size=1, max_size=40), st.integers(64, 400))
def test_rounds_keep_the_order_fit_the_room_and_end(texts: list[str], room_bytes: int) -> None:
    while True:
        before = fitted(texts, room_bytes=room_bytes)
        groups = grouped(before, room_bytes=room_bytes)
        assert [number for group in groups for number in group] == list(range(len(before)))
        texts = [joined(before, group) for group in groups]
        assert all(len(text.encode()) <= room_bytes for text in texts)
        if len(groups) == 1:
            return
        # An answer may be as long as what it was asked about, and longer: it is clipped.
        assert len(groups) < len(before)


def test_nothing_is_no_group() -> None:
    assert grouped([], room_bytes=100) == []
