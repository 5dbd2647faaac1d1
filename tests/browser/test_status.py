"""Following a job: what the ticket shows while it waits, and while nobody answers."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import httpx
from playwright.sync_api import Request, Response, expect

from tests.browser import recordings
from tests.browser.site import transcript
from tests.browser.visitor import Visitor
from tests.stack.client import ANSWER_S
from tests.stack.waiting import until

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def test_polling_outlasts_a_status_api_that_is_down_and_says_so_meanwhile(visitor: Visitor, tmp_path: Path) -> None:
    visitor.open()
    with visitor.site.without("worker-1"):
        visitor.hand_in(recordings.silence(tmp_path / "silence.wav"))
        visitor.sees("Queued")
        with visitor.site.without("status-api"):
            expect(visitor.connection).to_contain_text("The status service cannot be reached")
            expect(visitor.connection).to_contain_text(re.compile(r"Next try in \d+ s"))
            expect(visitor.stamp).to_have_text("Queued")
        expect(visitor.connection).to_be_hidden()
    visitor.sees("Ready")
    # The second is what a browser says of a connection that ends before its first answer.
    assert all(re.search("ERR_(CONNECTION|EMPTY_RESPONSE)", complaint) for complaint in visitor.complaints)
    visitor.complaints.clear()


def test_a_503_is_shown_and_asked_again_when_it_says(visitor: Visitor) -> None:
    visitor.open(visitor.site.queued())
    visitor.sees("Queued")
    with visitor.site.frozen_records():
        expect(visitor.connection).to_contain_text("The job records are unavailable")
        said = visitor.connection.text_content() or ""
    wait_s = int(re.findall(r"Next try in (\d+) s", said)[0])
    assert 5 <= wait_s <= 10

    expect(visitor.connection).to_be_hidden()
    refused, answer, after = _refusal(visitor)
    assert answer.headers["retry-after"] == str(wait_s)
    waited_ms = after.timing["startTime"] - (refused.timing["startTime"] + refused.timing["responseEnd"])
    assert waited_ms >= wait_s * 1000 - 100
    assert "503" in visitor.complaints.pop()


def _refusal(visitor: Visitor) -> tuple[Request, Response, Request]:
    """The last poll that was answered with 503, its answer, and the next poll."""
    polls = visitor.polls()
    answered = [(poll, answer, after) for poll, after in pairwise(polls) if (answer := poll.response())]
    return [found for found in answered if found[1].status == 503][-1]


def test_a_queued_job_is_asked_for_again_after_the_time_its_answer_names(visitor: Visitor) -> None:
    visitor.does_not_wait()
    visitor.page.clock.install(time=datetime.now(UTC))
    visitor.open(visitor.site.queued(age_s=200))  # a tenth of its age: Retry-After 20 or 21
    visitor.sees("Queued")
    until(lambda: len(visitor.polls()) == 2, "the page has asked the API to wait, in vain")
    answer = visitor.polls()[1].response()
    assert answer is not None
    answer.finished()
    asked_wait_s = int(answer.headers["retry-after"])
    assert asked_wait_s >= 20
    # Ahead, since a clock cannot be stopped at a time that has passed by then; 9 s are left for what passed before.
    visitor.page.clock.pause_at(datetime.now(UTC) + timedelta(seconds=5))
    visitor.page.clock.run_for((asked_wait_s - 5 - 9) * 1000)
    assert len(visitor.polls()) == 2
    for _ in range(20):  # The page may have set its timer only after the clock stood still.
        visitor.page.clock.run_for(1_000)
        if len(visitor.polls()) == 3:
            break
    assert len(visitor.polls()) == 3


def test_the_end_of_a_job_shows_at_once_since_the_api_holds_its_answer_back(visitor: Visitor, tmp_path: Path) -> None:
    visitor.open(visitor.site.queued(age_s=200))  # Retry-After 20 or 21
    until(visitor.asked_last_to_wait, "the page asks the API to wait")
    held = visitor.polls()[-1]

    cancelled = httpx.post(f"{visitor.site.url}/v1/jobs/{visitor.ticket_number}/cancel", timeout=ANSWER_S)
    assert cancelled.status_code == httpx.codes.OK
    expect(visitor.stamp).to_have_text("Cancelled", timeout=15_000)
    answer = held.response()
    assert answer is not None
    assert answer.headers["preference-applied"] == "wait=20"
    assert visitor.polls()[-1] is held


def test_a_running_job_shows_attempt_and_progress(visitor: Visitor) -> None:
    visitor.open(visitor.site.running(progress=0.42))

    visitor.sees("Running")
    expect(visitor.page.locator("#attempt")).to_have_text("1")
    expect(visitor.page.get_by_role("progressbar")).to_have_js_property("value", 0.42)


def test_a_job_that_waits_for_a_retry_shows_attempt_and_time(visitor: Visitor) -> None:
    visitor.open(visitor.site.queued(attempt=3, due_in_s=90))

    visitor.sees("Queued")
    expect(visitor.page.locator("#attempt")).to_have_text("3")
    expect(visitor.page.locator("#next")).to_have_text(re.compile(r"in 1:\d\d"))
    expect(visitor.page.locator("#status")).to_contain_text("Waiting for the next one")


def test_elapsed_time_counts_from_the_submission_of_a_resumed_job(visitor: Visitor) -> None:
    visitor.open(visitor.site.queued(age_s=3665))

    expect(visitor.page.get_by_role("timer")).to_have_text(re.compile(r"1:01:\d\d"))


def test_an_unknown_ticket_says_so_and_offers_nothing_that_is_in_vain(visitor: Visitor) -> None:
    visitor.open(UNKNOWN)
    visitor.sees_problem("There is no such job", "may have expired")

    visitor.sees("Unknown")
    expect(visitor.page.locator("#number")).to_have_text(UNKNOWN)
    expect(visitor.page.get_by_text("Elapsed")).to_be_hidden()
    shown = visitor.page.locator("#ticket").get_by_role("button").all_text_contents()
    assert shown == ["Hand in another"]
    assert "404" in visitor.complaints.pop()


def test_a_failed_job_opened_by_its_link_shows_the_problem(visitor: Visitor) -> None:
    problem = {"type": "urn:claimcheck:problem:worker-died", "title": "The worker died too often", "status": 422}
    visitor.open(visitor.site.failed({**problem, "detail": "it died 5 times; the limit is 5"}))

    visitor.sees("Failed")
    visitor.sees_problem("The worker died too often", "It died 5 times; the limit is 5.")
    expect(visitor.page.get_by_role("button", name="Hand in another")).to_be_visible()


def test_another_ticket_in_the_address_replaces_the_present_one(visitor: Visitor) -> None:
    first = visitor.site.succeeded(transcript("The first."), name="one.wav")
    second = visitor.site.succeeded(transcript("The second."), name="two.wav")
    visitor.open(first)
    expect(visitor.page.locator("#segments")).to_contain_text("The first.")

    visitor.page.evaluate("id => { location.hash = `job=${id}` }", second)
    expect(visitor.page.locator("#name")).to_have_text("two.wav")
    expect(visitor.page.locator("#segments")).to_contain_text("The second.")
    visitor.page.go_back()
    expect(visitor.page.locator("#segments")).to_contain_text("The first.")


def test_recent_tickets_are_kept_over_a_reload_until_they_are_forgotten(visitor: Visitor, tmp_path: Path) -> None:
    visitor.open()
    job_id = visitor.hand_in(recordings.silence(tmp_path / "silence.wav"))
    visitor.open()
    visitor.page.reload()
    visitor.page.get_by_role("link", name="silence.wav").click()
    assert visitor.ticket_number == job_id
    visitor.sees("Ready")

    visitor.page.get_by_role("button", name="Hand in another").click()
    visitor.page.get_by_role("button", name="Forget silence.wav").click()
    expect(visitor.page.get_by_role("heading", name="Recent tickets")).to_be_hidden()
    visitor.page.reload()
    expect(visitor.page.get_by_role("heading", name="Hand in a recording")).to_be_visible()
    expect(visitor.page.get_by_role("heading", name="Recent tickets")).to_be_hidden()
