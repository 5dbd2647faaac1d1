"""How long texts are cut into windows: everything is in one of them, and cuts are where they are missed least."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.worker.texts.cutting import LONGEST_CHARACTER, Window, clipped, halves, windows

LONG_LINE = 4_000_000
LINEAR_S = 5.0  # 0.1 s here; a cut that looked through all that is left would take minutes

texts = st.text(st.characters(codec="utf-8") | st.sampled_from(list("a .\n。😀é")), max_size=300)


def cut(text: str, size_bytes: int) -> list[str]:
    data = text.encode()
    return [data[window.start : window.end].decode() for window in windows(data, size_bytes=size_bytes)]


@given(texts, st.integers(LONGEST_CHARACTER, 400))
def test_windows_hold_everything_but_blanks_once_and_in_order(text: str, size_bytes: int) -> None:
    data = text.encode()
    found = list(windows(data, size_bytes=size_bytes))
    edges = [Window(0, 0), *found, Window(len(data), len(data))]
    for before, after in itertools.pairwise(edges):
        assert before.end <= after.start
        assert not data[before.end : after.start].strip()
    for window in found:
        assert 0 < window.end - window.start <= size_bytes
        # Raises if a character was cut.
        data[window.start : window.end].decode()


@given(texts, st.integers(LONGEST_CHARACTER, 400))
def test_there_are_at_most_four_times_as_many_windows_as_there_must_be(text: str, size_bytes: int) -> None:
    assert len(cut(text, size_bytes)) <= 4 * max(1, -(-len(text.encode()) // size_bytes)) + LONGEST_CHARACTER


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One two. Three.\n\nFour five. Six seven", ["One two. Three.\n\n", "Four five. Six seven"]),
        ("One two three. Four five six seven.", ["One two three. ", "Four five six seven."]),
        ('He said "yes." Then he went away', ['He said "yes." ', "Then he went away"]),
        ("one two three four\nfive six seven eight", ["one two three four\n", "five six seven eight"]),
        ("one two three four five six seven", ["one two three ", "four five six seven"]),
        ("aaaaaaaaaaaaaaaaaaaaaaaa", ["aaaaaaaaaaaa", "aaaaaaaaaaaa"]),
        ("ééééééééééééé", ["éééééé", "ééééééé"]),
        ("会议开始。主席致辞。", ["会议开始。", "主席致辞。"]),
        ("short", ["short"]),
        ("   \n\n   ", []),
        ("", []),
    ],
)
def test_a_cut_is_after_a_paragraph_or_else_a_sentence_line_word_or_character(text: str, expected: list[str]) -> None:
    assert cut(text, 22) == expected


def test_what_is_little_more_than_a_window_leaves_no_crumb() -> None:
    assert [len(window) for window in cut("word " * 201, 1000)] == [500, 505]


@pytest.mark.parametrize("letter", ["a", "😀", ". ", ".", "\n", '."', "a\n"])
def test_a_text_of_one_long_line_is_cut_in_linear_time(letter: str) -> None:
    data = (letter * LONG_LINE).encode()[: LONG_LINE * 3]
    data = data[: len(data) // len(letter.encode()) * len(letter.encode())]
    began = time.process_time()
    found = list(windows(data, size_bytes=18_000))
    assert time.process_time() - began < LINEAR_S
    assert sum(window.end - window.start for window in found) == (0 if letter.isspace() else len(data))


@given(texts.filter(lambda text: len(text.encode()) >= 8))
def test_halves_are_the_whole_and_neither_is_nearly_all(text: str) -> None:
    first, second = halves(text)
    assert first + second == text
    assert max(len(first.encode()), len(second.encode())) <= len(text.encode()) * 3 // 4 + LONGEST_CHARACTER


@given(texts, st.integers(LONGEST_CHARACTER, 400))
def test_what_is_clipped_fits_and_is_the_beginning(text: str, size_bytes: int) -> None:
    short = clipped(text, size_bytes=size_bytes)
    assert len(short.encode()) <= size_bytes
    assert text.startswith(short)
    assert short == text or len(short.encode()) >= size_bytes // 2 - LONGEST_CHARACTER
