"""`summarize` end to end: a text of any length, a document or an earlier job's text in, one summary out."""

from __future__ import annotations

import io
import re

import docx
import pytest

from claimcheck.tasks.summarize import DOCX
from services.worker.texts.prompts import load
from tests.services.documents.papers import pdf
from tests.services.language.conftest import (
    SMALL,
    TEXT_CHARS,
    VERSION,
    WINDOW_TOKENS,
    Workplace,
    failed,
    inside,
    succeeded,
)
from tests.stack.client import Body

THE_TEXT = "the language of the text"
WINDOW_BYTES = WINDOW_TOKENS * 3

# What each prompt begins with tells whose question a request is.
WHOLE, WINDOW, COMBINE = "You summarize texts.", "You summarize a long text", "You make one summary"


def sentences(count: int) -> str:
    """A text of so many sentences of about 60 bytes, all different."""
    return " ".join(f"In chapter {number:04} the clerk wrote down what had happened." for number in range(count))


def asked(workplace: Workplace, prompt: str) -> list[list[Body]]:
    """The requests whose instructions begin so."""
    return [messages for messages in workplace.asked() if messages[0]["content"].startswith(prompt)]


def contents(workplace: Workplace, prompt: str) -> list[str]:
    """What they were about."""
    return [inside(messages[-1]) for messages in asked(workplace, prompt)]


def test_a_short_text_is_summarized_in_one_question(workplace: Workplace) -> None:
    workplace.endpoint.script(answer="It is short.")
    result = succeeded(workplace.ask("summarize", {"text": sentences(5)}, language="de", max_words=50))
    ((system, content),) = workplace.asked()
    filled = load("summarize", 1).filled(language="the language with the code de", max_words=50)
    assert system == {"role": "system", "content": filled}
    assert inside(content) == sentences(5)
    assert (result["text"], result["windows"], result["pages"]) == ("It is short.", 1, None)
    assert result["chars"] == len(sentences(5))
    assert (result["model"], result["prompt"], result["warnings"]) == (VERSION, "summarize/1", [])
    assert result["usage"]["requests"] == 1


def test_a_long_text_is_summarized_window_by_window_and_then_as_a_whole(workplace: Workplace) -> None:
    workplace.endpoint.script({"match": {"text": WINDOW}, "answer": "A part."}, {"answer": "All of it."})
    text = sentences(80)
    result = succeeded(workplace.ask("summarize", {"text": text}))
    windows = contents(workplace, WINDOW)
    assert result["windows"] == len(windows) >= len(text) / WINDOW_BYTES
    assert all(len(window) <= WINDOW_BYTES for window in windows)
    # Parts are summarized side by side, so their order is not that of the text.
    assert "".join(sorted(windows)) == text
    assert contents(workplace, COMBINE) == ["\n\n".join(["A part."] * len(windows))]
    assert (result["text"], result["prompt"], result["warnings"]) == ("All of it.", "summarize-combine/1", [])
    assert result["chars"] == len(text)
    everything = workplace.endpoint.requests()
    usage = result["usage"]
    assert usage["requests"] == len(everything) == len(windows) + 1
    assert usage["input_tokens"] == sum(request["prompt_tokens"] for request in everything)
    assert usage["output_tokens"] == sum(request["completion_tokens"] for request in everything)


def test_partial_summaries_that_do_not_fit_one_question_are_combined_in_rounds(workplace: Workplace) -> None:
    long = "This summary goes on and on. " * 14
    workplace.endpoint.script({"match": {"text": WINDOW}, "answer": long}, {"answer": long})
    result = succeeded(workplace.ask("summarize", {"text": sentences(80)}))
    combined = contents(workplace, COMBINE)
    assert all(len(content) <= WINDOW_BYTES for content in combined)
    assert len(combined) > result["windows"] / 2
    assert result["usage"]["requests"] == len(workplace.asked())


def test_a_partial_summary_that_fits_with_no_other_is_made_shorter_by_itself_and_nothing_is_lost(
    workplace: Workplace,
) -> None:
    long = "This summary goes on. " * 30 + "This is its end."
    assert WINDOW_BYTES / 2 < len(long) < WINDOW_BYTES
    workplace.endpoint.script({"match": {"text": WINDOW}, "answer": long}, {"answer": "It is short."})
    result = succeeded(workplace.ask("summarize", {"text": sentences(40)}))
    *alone, last = contents(workplace, COMBINE)
    assert alone == [long] * result["windows"]
    assert last == "\n\n".join(["It is short."] * result["windows"])
    assert (result["text"], result["warnings"]) == ("It is short.", [])


def test_what_a_model_that_does_not_shorten_has_said_too_much_is_left_out_with_a_warning(workplace: Workplace) -> None:
    workplace.endpoint.script(answer="This summary goes on. " * 30)
    result = succeeded(workplace.ask("summarize", {"text": sentences(40)}))
    assert {warning["slug"] for warning in result["warnings"]} == {"part-shortened"}
    assert "660 bytes; the limit is 448" in result["warnings"][0]["detail"]


def test_a_window_of_more_tokens_than_estimated_is_halved(workplace: Workplace) -> None:
    workplace.endpoint.script({"match": {"text": WINDOW}, "action": "too-long", "times": 1}, {"answer": "A part."})
    text = sentences(40)
    result = succeeded(workplace.ask("summarize", {"text": text}))
    refused, *answered = contents(workplace, WINDOW)
    assert len(answered) == result["windows"] + 1
    assert "".join(sorted(answered)) == text
    assert refused not in answered
    # What was refused was not paid for, and nothing was lost.
    assert result["usage"]["requests"] == len(answered) + 1
    assert result["usage"]["lost_requests"] == 0


def test_a_short_text_that_a_model_refuses_as_too_long_is_cut_all_the_same(workplace: Workplace) -> None:
    workplace.endpoint.script({"match": {"text": WHOLE}, "action": "too-long"}, {"answer": "A part."})
    text = sentences(10)
    result = succeeded(workplace.ask("summarize", {"text": text}))
    assert result["windows"] == 2
    assert "".join(sorted(contents(workplace, WINDOW))) == text


def test_every_question_goes_to_the_pinned_model_and_in_the_language(workplace: Workplace) -> None:
    workplace.endpoint.script(answer="En bref.")
    result = succeeded(workplace.ask("summarize", {"text": sentences(40)}, model=SMALL, language="fr", max_words=20))
    assert {request["model"] for request in workplace.endpoint.requests()} == {SMALL}
    assert all("the language with the code fr" in messages[0]["content"] for messages in workplace.asked())
    (last,) = asked(workplace, COMBINE)
    assert "at most 20 words" in last[0]["content"]
    assert result["model"] == SMALL


def test_a_word_document_is_read(workplace: Workplace) -> None:
    document = docx.Document()
    document.add_paragraph("The clerk arrived at nine.")
    document.add_paragraph("The clerk left at five.")
    target = io.BytesIO()
    document.save(target)
    result = succeeded(workplace.hand_in("summarize", target.getvalue(), DOCX))
    (content,) = contents(workplace, WHOLE)
    assert content.split("\n")[0] == "The clerk arrived at nine."
    assert "The clerk left at five." in content
    assert result["pages"] is None


def test_a_pdf_is_read_and_its_pages_are_told(workplace: Workplace) -> None:
    document = pdf([["The clerk arrived at nine."], ["The clerk left at five."]])
    result = succeeded(workplace.hand_in("summarize", document, "application/pdf"))
    (content,) = contents(workplace, WHOLE)
    assert " ".join(content.split()) == "The clerk arrived at nine. The clerk left at five."
    assert (result["pages"], result["windows"]) == (2, 1)


def test_a_part_of_a_pdf_that_could_not_be_read_is_told_with_its_pages(workplace: Workplace) -> None:
    workplace.endpoint.script({"match": {"text": "Page 5"}, "action": "filter-prompt"}, {"answer": "A part."})
    lines = ["The clerk wrote down what had happened to him."] * 8
    document = pdf([[f"Page {number}.", *lines] for number in range(1, 8)])
    result = succeeded(workplace.hand_in("summarize", document, "application/pdf"))
    (warning,) = result["warnings"]
    assert warning["slug"] == "part-unread"
    missing = re.search(r"on pages? (\d+)(?: to (\d+))? are missing", warning["detail"])
    assert missing is not None, warning["detail"]
    (unread,) = (window for window in contents(workplace, WINDOW) if "Page 5." in window)
    pages = re.findall(r"Page (\d+)", unread)
    assert [number for number in missing.groups() if number] == sorted({pages[0], pages[-1]})
    assert not any("\f" in window for window in contents(workplace, WINDOW))


def test_a_text_over_the_limit_is_refused_before_it_is_read(workplace: Workplace) -> None:
    job = workplace.hand_in("summarize", b"x" * (4 * TEXT_CHARS + 4), "text/plain")
    detail = failed(job, "text-too-long")
    assert f"the text is {4 * TEXT_CHARS + 4:,} bytes; the limit is {TEXT_CHARS:,} characters" in detail


def test_the_text_of_an_earlier_job_is_an_input(workplace: Workplace) -> None:
    workplace.endpoint.script({"answer": "The clerk arrived at nine.", "times": 1})
    earlier = workplace.ask("complete", {"text": "Write."})
    assert succeeded(earlier)["text"] == "The clerk arrived at nine."
    succeeded(workplace.ask("summarize", {"job_id": earlier["id"]}))
    (content,) = contents(workplace, WHOLE)
    assert content.strip() == "The clerk arrived at nine."


def test_a_text_of_which_no_window_can_be_read_fails_as_the_first_did(workplace: Workplace) -> None:
    workplace.endpoint.script(action="filter-prompt", match={"text": WINDOW})
    detail = failed(workplace.ask("summarize", {"text": sentences(40)}), "content-refused")
    windows = len(contents(workplace, WINDOW))
    assert f"none of {windows} parts could be read; the first: " in detail
    assert "content filter" in detail


@pytest.mark.parametrize("content", [b" \n\t ", b"Gr\xfc\xdfe an alle"])
def test_what_is_no_text_fails_before_any_question(workplace: Workplace, content: bytes) -> None:
    failed(workplace.hand_in("summarize", content, "text/plain"), "text-unreadable")
    assert workplace.asked() == []


def test_a_cut_summary_is_a_warning_that_says_of_which_window(workplace: Workplace) -> None:
    workplace.endpoint.script({"match": {"text": WINDOW}, "action": "cut-answer", "times": 1}, {"answer": "Whole."})
    result = succeeded(workplace.ask("summarize", {"text": sentences(40)}))
    (warning,) = result["warnings"]
    assert warning["slug"] == "answer-truncated"
    assert "the summary of characters" in warning["detail"]
    assert warning["part"] in range(result["windows"])


def test_an_empty_summary_is_a_warning(workplace: Workplace) -> None:
    workplace.endpoint.script(answer="")
    result = succeeded(workplace.ask("summarize", {"text": sentences(5)}))
    assert [warning["slug"] for warning in result["warnings"]] == ["answer-empty"]


def test_a_window_without_a_summary_is_told_with_its_place_and_no_part_of_the_whole(workplace: Workplace) -> None:
    workplace.endpoint.script(
        {"match": {"text": "chapter 0000"}, "answer": ""}, {"match": {"text": WINDOW}, "answer": "A part."}
    )
    result = succeeded(workplace.ask("summarize", {"text": sentences(40)}))
    (warning,) = result["warnings"]
    assert (warning["slug"], warning["part"]) == ("part-unread", 0)
    assert re.fullmatch(
        r"characters 1 to \d+ are missing from the summary: the model's answer has no text", warning["detail"]
    )
    assert contents(workplace, COMBINE) == ["\n\n".join(["A part."] * (result["windows"] - 1))]


def test_a_half_of_a_window_without_a_summary_is_told_with_the_place_of_the_window(workplace: Workplace) -> None:
    begins = {"match": {"text": "chapter 0000"}}
    workplace.endpoint.script(
        {**begins, "action": "too-long", "times": 1}, {**begins, "answer": ""}, {"answer": "A part."}
    )
    result = succeeded(workplace.ask("summarize", {"text": sentences(40)}))
    (warning,) = result["warnings"]
    assert (warning["slug"], warning["part"]) == ("part-unread", 0)
    assert re.fullmatch(r"some of characters 1 to \d+ is missing from the summary: .* has no text", warning["detail"])
    assert contents(workplace, COMBINE) == ["\n\n".join(["A part."] * result["windows"])]


def test_a_text_of_which_no_window_has_a_summary_fails_and_nothing_is_made_up(workplace: Workplace) -> None:
    workplace.endpoint.script({"match": {"text": WINDOW}, "answer": " "}, {"answer": "It is about a clerk."})
    detail = failed(workplace.ask("summarize", {"text": sentences(40)}), "answer-invalid")
    windows = len(contents(workplace, WINDOW))
    assert detail == f"of {windows} parts {windows} were summarized, and no answer has any text"
    assert contents(workplace, COMBINE) == []


def test_where_combining_says_nothing_what_it_was_asked_about_is_not_lost(workplace: Workplace) -> None:
    long = "This summary goes on. " * 30 + "This is its end."
    workplace.endpoint.script(
        {"match": {"text": WINDOW}, "answer": long},
        {"match": {"text": COMBINE}, "answer": "", "times": 1},
        {"answer": "It is short."},
    )
    result = succeeded(workplace.ask("summarize", {"text": sentences(40)}))
    *_, last = contents(workplace, COMBINE)
    assert sorted(last.split("\n\n")) == sorted([long, *["It is short."] * (result["windows"] - 1)])
    assert (result["text"], result["warnings"]) == ("It is short.", [])
