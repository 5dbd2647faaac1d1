"""Uploads over connections that break: the page tries again, and however often it does, there is one job."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Request, expect

from tests.browser import recordings
from tests.browser.conftest import PLAIN_HOST
from tests.browser.visitor import Visitor
from tests.stack.client import ANSWER_S
from tests.stack.proxy import Proxy
from tests.stack.waiting import until

TRIES = 6
LONGEST_PAUSE_MS = 31_000
UNANSWERED_MS = 46_000


@pytest.fixture
def traveller(visitor: Visitor, proxy: Proxy) -> Visitor:
    """A visitor whose way to the page is the proxy."""
    visitor.home = proxy.url
    return visitor


def uploads(visitor: Visitor) -> list[Request]:
    """Every try so far."""
    return [request for request in visitor.requests if request.method == "POST"]


def keys(visitor: Visitor) -> set[str]:
    """The idempotency keys of all tries."""
    return {request.headers["idempotency-key"] for request in uploads(visitor)}


def jobs_named(visitor: Visitor, name: str) -> list[str]:
    """The ids of the jobs whose file has this name, as the API lists them."""
    answer = httpx.get(f"{visitor.site.system.status_url}/v1/jobs", params={"limit": 100}, timeout=ANSWER_S)
    jobs = answer.raise_for_status().json()
    return [job["id"] for job in jobs["jobs"] if job["file"]["name"] == name]


def test_an_upload_cut_in_the_middle_is_sent_again_and_makes_one_job(
    traveller: Visitor, proxy: Proxy, tmp_path: Path
) -> None:
    traveller.open()
    traveller.choose(recordings.tone(tmp_path / "cut.wav", seconds=20))
    proxy.break_next_posts(2, after_bytes=300_000)
    traveller.stop_the_clock()
    traveller.page.get_by_role("button", name="Hand it in").click()

    expect(traveller.connection).to_have_text(
        re.compile(r"^The upload broke off\. Trying again in \d s \(try 2 of 6\)")
    )
    expect(traveller.page.get_by_role("progressbar")).to_have_js_property("value", 0)
    traveller.page.clock.resume()
    traveller.sees("Ready")
    expect(traveller.connection).to_be_hidden()
    assert len(uploads(traveller)) == 3
    assert len(keys(traveller)) == 1
    assert jobs_named(traveller, "cut.wav") == [traveller.ticket_number]
    assert len(traveller.complaints) == 2
    traveller.complaints.clear()


def test_an_upload_whose_answer_was_lost_gets_the_ticket_of_the_job_it_made(
    traveller: Visitor, proxy: Proxy, tmp_path: Path
) -> None:
    traveller.open()
    proxy.break_next_posts(1, after_bytes=None)
    traveller.hand_in(recordings.silence(tmp_path / "lost.wav"))

    traveller.sees("Ready")
    assert len(uploads(traveller)) == 2
    assert jobs_named(traveller, "lost.wav") == [traveller.ticket_number]
    traveller.complaints.clear()


def test_whoever_does_not_want_to_wait_for_the_next_try_stops_the_upload(visitor: Visitor, tmp_path: Path) -> None:
    visitor.open()
    visitor.choose(recordings.silence(tmp_path / "stopped.wav"))
    visitor.page.context.set_offline(True)
    visitor.page.get_by_role("button", name="Hand it in").click()
    expect(visitor.connection).to_contain_text("Trying again")
    visitor.page.get_by_role("button", name="Stop the upload").click()

    visitor.sees_problem("The upload was stopped", "Nothing was handed in.")
    expect(visitor.stamp).to_have_text("No ticket")
    expect(visitor.connection).to_be_hidden()
    assert jobs_named(visitor, "stopped.wav") == []
    visitor.complaints.clear()


def test_an_upload_stopped_after_its_answer_was_lost_may_have_been_handed_in(
    traveller: Visitor, proxy: Proxy, tmp_path: Path
) -> None:
    traveller.open()
    proxy.break_next_posts(1, after_bytes=None)
    traveller.choose(recordings.silence(tmp_path / "unsure.wav"))
    traveller.stop_the_clock()
    traveller.page.get_by_role("button", name="Hand it in").click()
    expect(traveller.connection).to_contain_text("Trying again")
    traveller.page.get_by_role("button", name="Stop the upload").click()
    traveller.sees_problem(
        "The upload was stopped", "It may have been handed in all the same; Try again gives its ticket."
    )
    traveller.complaints.clear()

    traveller.page.clock.resume()
    traveller.page.get_by_role("button", name="Try again").click()
    traveller.sees("Ready")
    assert jobs_named(traveller, "unsure.wav") == [traveller.ticket_number]


def test_an_upload_that_is_sent_but_not_answered_is_sent_again(visitor: Visitor, tmp_path: Path) -> None:
    visitor.open()
    visitor.choose(recordings.silence(tmp_path / "unanswered.wav"))
    visitor.stop_the_clock()
    with visitor.site.system.frozen("process-api"):
        visitor.page.get_by_role("button", name="Hand it in").click()
        expect(visitor.page.get_by_text("The file is sent. Waiting for the ticket.")).to_be_visible()
        visitor.page.clock.fast_forward(UNANSWERED_MS)
        expect(visitor.connection).to_contain_text("The upload broke off. Trying again in")

    visitor.page.clock.resume()
    visitor.sees("Ready")
    assert len(uploads(visitor)) == 2
    assert jobs_named(visitor, "unanswered.wav") == [visitor.ticket_number]


def test_after_six_tries_the_page_gives_up_and_a_later_one_is_still_the_same_hand_in(
    visitor: Visitor, tmp_path: Path
) -> None:
    visitor.page.clock.install()
    visitor.open()
    visitor.choose(recordings.silence(tmp_path / "patient.wav"))
    with visitor.site.without("process-api"):
        visitor.page.get_by_role("button", name="Hand it in").click()
        expect(visitor.connection).to_contain_text(f"of {TRIES}")

        def gave_up() -> bool:
            visitor.page.clock.fast_forward(LONGEST_PAUSE_MS)
            return not visitor.connection.is_visible()

        until(gave_up, "the page gives up")
        visitor.sees_problem("The upload broke off", "The connection was lost before a ticket came.")
    assert len(uploads(visitor)) == TRIES

    visitor.page.get_by_role("button", name="Try again").click()
    visitor.sees("Ready")
    assert len(uploads(visitor)) == TRIES + 1
    assert len(keys(visitor)) == 1
    visitor.complaints.clear()


def test_an_outage_of_the_records_is_outlasted_as_long_as_the_api_asks_for(visitor: Visitor, tmp_path: Path) -> None:
    visitor.open()
    visitor.choose(recordings.silence(tmp_path / "outage.wav"))
    with visitor.site.frozen_records():
        visitor.page.get_by_role("button", name="Hand it in").click()
        expect(visitor.connection).to_contain_text("The job records are unavailable. Trying again in")
    first = uploads(visitor)[0]
    visitor.sees("Ready")

    answer = first.response()
    assert answer is not None
    second = uploads(visitor)[1]
    paused_ms = second.timing["startTime"] - (first.timing["startTime"] + first.timing["responseEnd"])
    assert paused_ms >= int(answer.headers["retry-after"]) * 1000 - 100
    assert jobs_named(visitor, "outage.wav") == [visitor.ticket_number]
    assert {"503" in complaint for complaint in visitor.complaints} == {True}
    visitor.complaints.clear()


def test_two_hand_ins_of_one_file_are_two_jobs(visitor: Visitor, tmp_path: Path) -> None:
    visitor.open()
    first = visitor.hand_in(recordings.silence(tmp_path / "twice.wav"))
    visitor.page.get_by_role("button", name="Hand in another").click()
    second = visitor.hand_in(tmp_path / "twice.wav")

    assert sorted(jobs_named(visitor, "twice.wav")) == sorted([first, second])


def test_a_page_without_https_hands_in_too(visitor: Visitor, proxy: Proxy, tmp_path: Path) -> None:
    visitor.home = f"http://{PLAIN_HOST}:{proxy.port}"
    visitor.open()
    assert visitor.page.evaluate("isSecureContext") is False
    assert visitor.page.evaluate("typeof crypto.randomUUID") == "undefined"
    visitor.hand_in(recordings.silence(tmp_path / "plain.wav"))

    visitor.sees("Ready")
    assert [re.fullmatch(r'"[0-9a-f]{32}"', key) is not None for key in keys(visitor)] == [True]
