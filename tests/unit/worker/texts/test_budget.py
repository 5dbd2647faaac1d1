"""How much text and answer a question may have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claimcheck.errors import ContextTooLong
from services.worker.texts.budget import (
    LEAST_TOKENS,
    LEAST_WORDS,
    answer_tokens,
    bytes_per_word,
    estimated_tokens,
    window_bytes,
    words_of_part,
)

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
    [(200, 1, 200), (200, 2, 200), (200, 3, 133), (200, 28, 100), (2000, 28, 100), (10, 2, 100), (2000, 2, 1350)],
)
def test_parts_together_say_about_twice_the_whole_and_fit_one_question(
    max_words: int, parts: int, expected: int
) -> None:
    assert words_of_part(max_words, parts, room_bytes=18_000, word_bytes=6) == expected


@given(st.integers(10, 2000), st.integers(1, 300), st.integers(400, 18_000), st.integers(4, 20))
def test_two_parts_always_fit_one_question(max_words: int, parts: int, room_bytes: int, word_bytes: int) -> None:
    words = words_of_part(max_words, parts, room_bytes=room_bytes, word_bytes=word_bytes)
    assert 1 <= words <= max(max_words, LEAST_WORDS)
    assert 2 * words * word_bytes <= room_bytes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The clerk wrote down whatever had happened there. ", 7),
        ("Писарь записал всё, что случилось тогда. ", 13),
        ("书记员写下了那一天发生在他身上的事情。会议开始。", 6),
        ("1 2 3 4 5 6 7 8 9 ", 4),
        ("https://example.com/" + "x" * 500, 4),
        ("Ἀ" * 12 + " ", 20),
        ("", 4),
    ],
)
def test_a_word_is_measured_in_the_script_of_its_text(text: str, expected: int) -> None:
    assert bytes_per_word(text * 20) == expected
