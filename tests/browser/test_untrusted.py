"""File names, transcripts, problems and addresses come from strangers: they are shown as text and never run."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser import recordings
from tests.browser.site import transcript
from tests.browser.visitor import Visitor
from tests.stack.client import ANSWER_S

HOSTILE = "<img src=x onerror='window.ran=true'>"
REVERSED = "talk\u202egpj.wav"
SHOWN = {
    'say "hi".wav': 'say "hi".wav',
    "<script>window.ran=true.wav": "<script>window.ran=true.wav",
    "\u0634\u0631\u0643\u0629 talk.wav": "\u0634\u0631\u0643\u0629 talk.wav",
    "talk\u202evaw.exe.wav": "talkvaw.exe.wav",  # the mark reverses what follows it
    "new\nline.wav": "newline.wav",
}


@pytest.fixture(autouse=True)
def nothing_ran(visitor: Visitor) -> object:
    """Whatever the test did, no hostile text became an element or a script."""
    yield
    assert visitor.page.evaluate("window.ran ?? false") is False
    assert visitor.page.locator("img[src=x]").count() == 0


def test_a_hostile_file_name_is_text_in_the_form_on_the_ticket_and_in_the_list(
    visitor: Visitor, tmp_path: Path
) -> None:
    path = recordings.silence(tmp_path / f"{HOSTILE}.wav")
    visitor.open()
    visitor.choose(path)
    expect(visitor.page.locator("#chosen")).to_contain_text(HOSTILE)

    visitor.hand_in(path)
    visitor.sees("Ready")
    expect(visitor.page.locator("#name")).to_have_text(f"{HOSTILE}.wav")
    visitor.page.get_by_role("button", name="Hand in another").click()
    expect(visitor.page.locator("#recent-jobs")).to_contain_text(HOSTILE)


@pytest.mark.parametrize(("given", "name"), SHOWN.items())
def test_a_strange_file_name_is_the_same_text_wherever_it_is_shown(
    visitor: Visitor, tmp_path: Path, given: str, name: str
) -> None:
    visitor.open()
    visitor.hand_in(recordings.silence(tmp_path / given))
    visitor.sees("Ready")

    assert visitor.page.locator("#name").text_content() == name
    assert visitor.page.title() == f"Ready: {name}"
    visitor.page.get_by_role("button", name="Delete", exact=True).click()
    assert visitor.page.locator("#erase-name").text_content() == name
    visitor.page.keyboard.press("Escape")
    visitor.page.get_by_role("button", name="Hand in another").click()
    assert visitor.page.locator("#recent-jobs a").text_content() == name
    visitor.page.locator("#recent-jobs a").click()
    visitor.sees("Ready")
    with visitor.page.expect_download() as download:
        visitor.page.get_by_role("link", name="Download TXT").click()
    assert Path(download.value.suggested_filename).suffix == ".txt"


def test_marks_of_direction_in_a_name_turn_nothing_but_the_name(visitor: Visitor) -> None:
    visitor.open(visitor.site.succeeded(transcript("Good evening."), name=REVERSED))
    visitor.sees("Ready")
    visitor.page.get_by_role("button", name="Delete", exact=True).click()

    isolating = ["isolate", "plaintext", "isolate-override"]
    for place in ("#name", "#erase-name"):
        assert visitor.page.locator(place).evaluate("(node) => getComputedStyle(node).unicodeBidi") in isolating


def test_a_hostile_transcript_is_text(visitor: Visitor) -> None:
    warning = {"slug": None, "detail": HOSTILE}
    visitor.open(visitor.site.succeeded(transcript(HOSTILE, "<script>ran=true</script>", warnings=(warning,))))

    expect(visitor.segments.nth(0)).to_contain_text(HOSTILE)
    expect(visitor.segments.nth(1)).to_contain_text("<script>ran=true</script>")
    expect(visitor.page.locator("#warnings")).to_have_text(f"{HOSTILE}.")


def test_a_hostile_problem_is_text(visitor: Visitor) -> None:
    visitor.open(visitor.site.failed({"type": "about:blank", "title": HOSTILE, "status": 422, "detail": HOSTILE}))

    visitor.sees_problem(HOSTILE, HOSTILE)


@pytest.mark.parametrize(
    "address", [f"#job={HOSTILE}", "#job=../../evil", "#job=//evil.example/", "#javascript:ran=true", "#job="]
)
def test_an_address_that_holds_no_job_id_leads_to_the_form_and_asks_nobody(visitor: Visitor, address: str) -> None:
    visitor.page.goto(f"{visitor.site.url}/{address}")

    expect(visitor.page.get_by_role("heading", name="Hand in a recording")).to_be_visible()
    assert visitor.polls() == []


@pytest.mark.parametrize(
    "kept", ["no JSON", "{}", json.dumps([{"id": "javascript:ran=true", "name": HOSTILE, "at": "2026-01-01"}, 7, None])]
)
def test_a_spoilt_list_of_recent_tickets_is_passed_over(visitor: Visitor, kept: str) -> None:
    visitor.page.add_init_script(f"localStorage.setItem('claimcheck.recent', {json.dumps(kept)})")
    visitor.open()

    expect(visitor.page.get_by_role("heading", name="Recent tickets")).to_be_hidden()


def test_the_policy_of_the_page_forbids_every_script_but_its_own(visitor: Visitor) -> None:
    policy = httpx.get(visitor.site.url, timeout=ANSWER_S).headers["content-security-policy"]
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy

    visitor.open()
    visitor.page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.ran = true' }))"
    )
    assert "Content Security Policy" in visitor.complaints.pop()
