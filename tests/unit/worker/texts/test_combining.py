"""How summaries become one: nothing is lost while the rounds get smaller, and what is lost is told."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.worker.texts.combining import first_round, next_round

ENGLISH = "word " * 2401  # 12,005 bytes: a summary of 2,000 words
RUSSIAN = "Писарь записал всё. " * 400  # 14,800 bytes: one of 1,000 words

texts = st.lists(st.text(st.characters(codec="utf-8") | st.sampled_from("a. "), max_size=120), min_size=1, max_size=40)


def words(*of: str) -> list[str]:
    """All that can be seen of these texts, in order."""
    return list("".join(re.sub(r"\s", "", text) for text in of))


@pytest.mark.parametrize("text", [ENGLISH, RUSSIAN])
def test_summaries_that_do_not_fit_together_are_first_made_shorter_each(text: str) -> None:
    found = first_round([text, text], room_bytes=18_000)
    assert found.contents == (text, text)
    assert found.warnings == ()
    assert next_round(["short", "short"], room_bytes=18_000).contents == ("short\n\nshort",)


def test_a_summary_longer_than_a_question_is_cut_into_several_and_none_of_it_is_lost() -> None:
    found = first_round([ENGLISH], room_bytes=5000)
    assert len(found.contents) == 3
    assert words(*found.contents) == words(ENGLISH)


@given(texts, st.integers(64, 400))
def test_the_first_round_holds_every_word_in_order_and_fits(given: list[str], room_bytes: int) -> None:
    found = first_round(given, room_bytes=room_bytes)
    assert words(*found.contents) == words(*given)
    assert all(len(content.encode()) <= room_bytes for content in found.contents)
    assert found.warnings == ()


@given(texts, st.integers(64, 400))
def test_rounds_end_also_if_no_answer_is_shorter_than_its_question(given: list[str], room_bytes: int) -> None:
    now = first_round(given, room_bytes=room_bytes)
    while len(now.contents) > 1:
        answers = [content + " and more" for content in now.contents]
        then = next_round(answers, room_bytes=room_bytes)
        assert len(then.contents) <= 0.75 * len(now.contents)
        assert all(len(content.encode()) <= room_bytes for content in then.contents)
        assert bool(then.warnings) == (words(*then.contents) != words(*answers))
        now = then


def test_what_is_left_out_is_told_with_its_size_and_the_limit() -> None:
    found = next_round(["a " * 5000, "b"], room_bytes=9000)
    (warning,) = found.warnings
    assert warning.slug == "part-shortened"
    assert "1 of 2 summaries" in warning.detail
    assert "10,000 bytes; the limit is 4,498" in warning.detail
    assert found.contents[0].endswith("b")
