"""Choosing a task, giving it a text or a file, and seeing what a model answered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser import papers, recordings
from tests.browser.site import transcript
from tests.browser.visitor import Visitor
from tests.stack.client import ANSWER_S
from tests.stack.endpoints import ScriptedEndpoint
from tests.stack.proxy import Proxy

POEM = "Roses are red,\n\n  violets are blue."
SCHEMA = {"type": "object", "properties": {"sky": {"type": "string"}}, "required": ["sky"]}


@contextmanager
def scripted(endpoint: ScriptedEndpoint, **rule: Any) -> Iterator[None]:
    """Inside, the model keeps to this rule."""
    ids = endpoint.script(**rule)
    try:
        yield
    finally:
        endpoint.remove(*ids)


def job_of(visitor: Visitor) -> dict[str, Any]:
    """The job on the ticket, as the API shows it."""
    answer = httpx.get(f"{visitor.site.system.status_url}/v1/jobs/{visitor.ticket_number}", timeout=ANSWER_S)
    job: dict[str, Any] = answer.json()
    return job


def test_a_prompt_comes_back_as_an_answer_with_its_line_breaks(visitor: Visitor, endpoint: ScriptedEndpoint) -> None:
    visitor.open()
    visitor.turn_to("Complete")
    expect(visitor.page.get_by_role("heading", name="Hand in a prompt")).to_be_visible()
    expect(visitor.page.get_by_role("button", name="Hand it in")).to_be_disabled()
    visitor.page.get_by_label("What should the model do?").fill("A poem\nof two lines, please.")
    visitor.page.get_by_label("Length in tokens, at most").fill("77")
    with scripted(endpoint, answer=POEM, match={"text": "A poem\nof two lines"}):
        visitor.send()
        visitor.sees("Ready")

    assert visitor.answer.inner_text() == POEM
    expect(visitor.page.get_by_role("heading", name="Answer", exact=True)).to_be_visible()
    expect(visitor.page.locator("#task")).to_have_text("Complete")
    expect(visitor.fact("Instructions")).to_have_text("complete/1")
    assert job_of(visitor)["options"] == {"max_output_tokens": 77}
    visitor.page.get_by_role("button", name="Hand in another").click()
    expect(visitor.page.get_by_label("What should the model do?")).to_have_value("")
    expect(visitor.page.locator("#recent-jobs")).to_contain_text("Complete")


def test_an_image_turns_the_form_to_its_task_and_is_shown_beside_its_description(
    visitor: Visitor, endpoint: ScriptedEndpoint, tmp_path: Path
) -> None:
    visitor.open()
    visitor.choose(papers.image(tmp_path / "hill.png"))
    expect(visitor.page.get_by_role("radio", name="Describe")).to_be_checked()
    expect(visitor.page.locator("#moved")).to_contain_text("Describe was chosen, since the file is an image.")
    expect(visitor.page.get_by_role("status").filter(has_text="Describe was chosen")).to_have_count(1)
    expect(visitor.page.locator("#preview")).to_be_visible()
    visitor.page.get_by_label("Language of the description").select_option("German")
    with scripted(endpoint, answer={"description": "Ein Berg.", "tags": ["Berg", "Himmel"]}):
        visitor.send()
        visitor.sees("Ready")

    expect(visitor.answer).to_have_text("Ein Berg.")
    expect(visitor.answer).to_have_attribute("lang", "de")
    expect(visitor.page.get_by_role("list", name="Tags").get_by_role("listitem")).to_have_text(["Berg", "Himmel"])
    expect(visitor.page.get_by_alt_text("The image hill.png")).to_be_visible()
    expect(visitor.page.locator("#result-facts")).to_have_text("640 by 400 pixels")


def test_a_task_that_a_file_suggested_can_be_taken_back_and_one_that_was_chosen_stays(
    visitor: Visitor, tmp_path: Path
) -> None:
    visitor.open()
    visitor.choose(papers.image(tmp_path / "hill.png"))
    visitor.page.get_by_role("button", name="Back to Transcribe").click()

    expect(visitor.page.get_by_role("radio", name="Transcribe")).to_be_focused()
    expect(visitor.page.locator("#moved")).to_be_hidden()
    expect(visitor.page.locator("#chosen")).to_contain_text("hill.png")
    visitor.choose(papers.image(tmp_path / "other.png"))
    expect(visitor.page.get_by_role("radio", name="Transcribe")).to_be_checked()


def test_a_file_takes_the_place_of_a_text_until_it_is_removed(visitor: Visitor, tmp_path: Path) -> None:
    (tmp_path / "long.md").write_text("# A long text\n")
    visitor.open()
    visitor.turn_to("Summarize")
    visitor.type_in("Typed.")
    visitor.choose(tmp_path / "long.md")
    expect(visitor.page.get_by_label("Paste a text")).to_be_hidden()
    visitor.page.get_by_role("button", name="Remove the file").click()

    expect(visitor.page.get_by_label("Paste a text")).to_have_value("Typed.")
    visitor.page.get_by_label("Length in words, about").fill("50")
    visitor.send()
    visitor.sees("Ready")
    expect(visitor.page.locator("#result-facts")).to_have_text("6 characters")
    job = job_of(visitor)
    assert (job["file"]["name"], job["file"]["size_bytes"], job["options"]) == ("text.txt", 6, {"max_words": 50})


def test_a_copied_image_is_pasted_and_a_copied_text_with_its_picture_is_a_text(
    visitor: Visitor, tmp_path: Path
) -> None:
    visitor.open()
    paste = """([content, text]) => {
        const transfer = new DataTransfer();
        const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
        transfer.items.add(new File([bytes], "image.png", { type: "image/png" }));
        if (text) transfer.setData("text/plain", text);
        document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true }));
    }"""
    content = papers.base64_of(papers.image(tmp_path / "copied.png"))
    visitor.page.evaluate(paste, [content, "a sheet"])
    expect(visitor.page.locator("#chosen")).to_have_text("Choose a file or drop it here")

    visitor.page.evaluate(paste, [content, ""])
    expect(visitor.page.locator("#chosen")).to_contain_text("image.png")
    expect(visitor.page.get_by_role("radio", name="Describe")).to_be_checked()


def test_a_schema_that_is_no_json_is_refused_before_anything_is_sent(visitor: Visitor) -> None:
    visitor.open()
    visitor.turn_to("Complete")
    visitor.type_in("What colour is the sky?")
    visitor.page.get_by_text("Ask for JSON").click()
    field = visitor.page.get_by_label("JSON Schema that the answer has to keep to")
    for text in ("{sky", "[1]"):
        field.fill(text)
        visitor.page.get_by_role("button", name="Hand it in").click()
        visitor.sees_problem("“Ask for JSON” cannot be read", "It is no JSON", at="#form-problem")
        expect(field).to_be_focused()
    assert [request.method for request in visitor.requests if request.method == "POST"] == []

    field.fill(json.dumps(SCHEMA))
    visitor.send()
    visitor.sees("Ready")
    assert "sky" in json.loads(visitor.page.locator("#answer-data").inner_text())
    expect(visitor.answer).to_be_hidden()


def test_a_text_whose_hand_in_was_refused_is_still_in_the_form(visitor: Visitor) -> None:
    visitor.open()
    visitor.turn_to("Complete")
    visitor.type_in("What colour is the sky?")
    visitor.page.get_by_text("Ask for JSON").click()
    visitor.page.locator("#json").fill('{"type": "nonsense"}')
    visitor.page.get_by_role("button", name="Hand it in").click()
    visitor.sees("No ticket")
    assert "400" in visitor.complaints.pop()

    visitor.page.get_by_role("button", name="Hand in another").click()
    expect(visitor.page.locator("#text")).to_have_value("What colour is the sky?")
    expect(visitor.page.locator("#json")).to_have_value('{"type": "nonsense"}')


def test_options_are_kept_for_each_task(visitor: Visitor) -> None:
    visitor.open()
    visitor.page.get_by_label("Language spoken").select_option("German")
    visitor.turn_to("Summarize")
    expect(visitor.page.get_by_label("Language of the summary")).to_have_value("")
    visitor.turn_to("Transcribe")
    expect(visitor.page.get_by_label("Language spoken")).to_have_value("de")


@pytest.mark.parametrize("width_px", [1100, 360])
def test_tasks_are_chosen_by_arrow_keys(visitor: Visitor, width_px: int) -> None:
    visitor.page.set_viewport_size({"width": width_px, "height": 800})
    visitor.open()
    visitor.page.get_by_role("radio", name="Transcribe").focus()
    visitor.page.keyboard.press("ArrowRight")

    expect(visitor.page.get_by_role("radio", name="Describe")).to_be_focused()
    expect(visitor.page.get_by_role("heading", name="Hand in an image")).to_be_visible()


def test_a_transcript_is_summarized_at_a_press_and_once_however_often_it_is_sent(
    visitor: Visitor, proxy: Proxy, endpoint: ScriptedEndpoint
) -> None:
    visitor.home = proxy.url
    spoken = visitor.site.succeeded(transcript("Good evening.", "This is the news."), name="news.wav")
    visitor.open(spoken)
    visitor.sees("Ready")
    proxy.break_next_posts(1, after_bytes=None)
    with scripted(endpoint, answer="It was the news.", match={"text": "This is the news."}):
        visitor.page.get_by_role("button", name="Summarize this transcript").click()
        expect(visitor.answer).to_have_text("It was the news.")

    assert visitor.ticket_number != spoken
    expect(visitor.page.locator("#name")).to_have_text("news.txt")
    assert job_of(visitor)["input_of"] == spoken
    posts = [request for request in visitor.requests if request.method == "POST"]
    assert [json.loads(post.post_data or "")["input"] for post in posts] == [{"job_id": spoken}] * 2
    assert len({post.headers["idempotency-key"] for post in posts}) == 1
    visitor.complaints.clear()


def test_a_task_that_the_page_does_not_know_takes_options_and_shows_its_result_as_json(
    visitor: Visitor, tmp_path: Path
) -> None:
    visitor.open()
    visitor.turn_to("Probe")
    expect(visitor.page.get_by_role("heading", name="Hand in a file")).to_be_visible()
    visitor.choose(recordings.no_recording(tmp_path / "any.bin"))
    visitor.page.locator("summary", has_text="Options").click()
    visitor.page.get_by_label("Options of this task").fill('{"result_bytes": 3}')
    visitor.send()

    visitor.sees("Ready")
    assert json.loads(visitor.page.locator("#answer-data").inner_text()) == {"attempt": 1, "filler": "xxx"}
    expect(visitor.page.get_by_role("link", name="Download JSON")).to_be_visible()


def test_a_task_for_which_no_model_is_known_says_so_beforehand(stranger: Visitor) -> None:
    stranger.open()
    expect(stranger.page.get_by_text("No model for this task is known here.")).to_be_hidden()
    stranger.turn_to("Describe")
    expect(stranger.page.get_by_text("No model for this task is known here.")).to_be_visible()
