"""Ending a job from its ticket: cancelling it, and deleting everything that is kept of it."""

from __future__ import annotations

from pathlib import Path

import httpx
from playwright.sync_api import Locator, Route, expect

from tests.browser import recordings
from tests.browser.conftest import KEY
from tests.browser.site import transcript
from tests.browser.visitor import Visitor
from tests.stack.client import ANSWER_S
from tests.stack.waiting import until


def cancel_button(visitor: Visitor) -> Locator:
    """Ends the job on the ticket."""
    return visitor.page.get_by_role("button", name="Cancel the job")


def delete_button(visitor: Visitor) -> Locator:
    """Asks whether to delete the job on the ticket."""
    return visitor.page.get_by_role("button", name="Delete", exact=True)


def dialog(visitor: Visitor) -> Locator:
    """The question that comes before."""
    return visitor.page.get_by_role("dialog", name="Delete this job?")


def status_of(visitor: Visitor, job_id: str) -> int:
    """What the status API answers for the job."""
    return httpx.get(f"{visitor.site.system.status_url}/v1/jobs/{job_id}", timeout=ANSWER_S).status_code


def test_a_running_job_is_cancelled_from_its_ticket(visitor: Visitor) -> None:
    visitor.open(visitor.site.running(progress=0.42))
    visitor.sees("Running")
    cancel_button(visitor).click()

    visitor.sees("Cancelled")
    expect(visitor.page.locator("#name")).to_be_focused()
    expect(visitor.page.get_by_role("status").filter(has_text="The job was cancelled.")).to_be_visible()
    expect(visitor.page.get_by_role("progressbar")).to_be_hidden()
    expect(cancel_button(visitor)).to_be_hidden()
    expect(delete_button(visitor)).to_be_visible()
    assert visitor.page.title() == "Cancelled: talk.wav"
    answer = httpx.get(f"{visitor.site.system.status_url}/v1/jobs/{visitor.ticket_number}", timeout=ANSWER_S).json()
    assert answer["status"] == "cancelled"


def test_a_queued_job_that_was_handed_in_here_is_cancelled_and_handed_in_again(
    visitor: Visitor, tmp_path: Path
) -> None:
    visitor.open()
    with visitor.site.without("worker-1"):
        first = visitor.hand_in(recordings.silence(tmp_path / "again.wav"))
        cancel_button(visitor).click()
        visitor.sees("Cancelled")
    expect(visitor.page.get_by_role("button", name="Try again")).to_be_hidden()
    visitor.page.get_by_role("button", name="Hand it in again").click()

    visitor.sees("Ready")
    assert visitor.ticket_number != first


def test_cancelling_too_late_shows_how_the_job_ended(visitor: Visitor) -> None:
    visitor.does_not_wait()
    job_id = visitor.site.queued(age_s=300)  # polled every 30 s, so that the page learns nothing by itself
    visitor.open(job_id)
    until(lambda: len(visitor.polls()) == 2 and visitor.polls()[1].response(), "the page waits by itself")
    visitor.site.fail(job_id, {"type": "about:blank", "title": "It failed", "status": 422, "detail": "so there"})
    cancel_button(visitor).click()

    visitor.sees("Failed")
    visitor.sees_problem("It failed", "So there.")
    assert "409" in visitor.complaints.pop()


def test_what_cannot_be_cancelled_now_says_why_and_can_be_later(visitor: Visitor) -> None:
    visitor.does_not_wait()
    visitor.open(visitor.site.queued(age_s=300))
    visitor.sees("Queued")
    with visitor.site.frozen_records():
        cancel_button(visitor).click()
        visitor.sees_problem("The job records are unavailable", "", at="#action-problem")
    expect(visitor.stamp).to_have_text("Queued")
    assert {"503" in complaint for complaint in visitor.complaints} == {True}
    visitor.complaints.clear()

    cancel_button(visitor).click()
    visitor.sees("Cancelled")
    expect(visitor.page.locator("#action-problem")).to_be_hidden()


def test_an_ending_that_something_else_answers_is_none(visitor: Visitor) -> None:
    job_id = visitor.site.running(progress=0.1)
    visitor.open(job_id)
    visitor.sees("Running")
    visitor.page.route(f"{visitor.site.url}/v1/**", lambda route: route.fulfill(body="<html>Sign in</html>"))
    cancel_button(visitor).click()
    visitor.sees_problem("The service did not answer as expected", "perhaps a sign-in page", at="#action-problem")
    delete_button(visitor).click()
    visitor.page.get_by_role("button", name="Delete for good").click()
    visitor.sees_problem("The service did not answer as expected", "perhaps a sign-in page", at="#action-problem")

    expect(visitor.stamp).to_have_text("Running")
    assert status_of(visitor, job_id) == 202


def test_a_job_is_deleted_after_a_question_and_its_ticket_goes_away(visitor: Visitor, tmp_path: Path) -> None:
    visitor.open()
    job_id = visitor.hand_in(recordings.silence(tmp_path / "gone.wav"))
    visitor.sees("Ready")
    delete_button(visitor).click()
    expect(dialog(visitor)).to_contain_text("gone.wav")
    expect(dialog(visitor)).to_contain_text("erased for good")
    expect(visitor.page.get_by_text("it is cancelled first")).to_be_hidden()
    visitor.page.get_by_role("button", name="Delete for good").click()

    expect(visitor.page.get_by_role("heading", name="Hand in a recording")).to_be_focused()
    expect(visitor.page.locator("#news")).to_have_text("gone.wav was deleted.")
    expect(visitor.page.get_by_role("status").filter(has_text="gone.wav was deleted.")).to_have_count(1)
    expect(visitor.page.get_by_role("heading", name="Recent tickets")).to_be_hidden()
    assert "#" not in visitor.page.url
    assert status_of(visitor, job_id) == 404


def test_a_running_job_is_deleted_too(visitor: Visitor) -> None:
    job_id = visitor.site.running(progress=0.1)
    visitor.open(job_id)
    visitor.sees("Running")
    delete_button(visitor).click()
    expect(visitor.page.get_by_text("it is cancelled first")).to_be_visible()
    visitor.page.get_by_role("button", name="Delete for good").click()

    expect(visitor.page.locator("#news")).to_have_text("talk.wav was deleted.")
    assert status_of(visitor, job_id) == 404


def test_a_job_that_is_being_deleted_says_so_until_the_answer_comes(visitor: Visitor) -> None:
    job_id = visitor.site.running(progress=0.1)
    visitor.open(job_id)
    until(visitor.asked_last_to_wait, "the page waits for news of the job")
    on_its_way: list[Route] = []
    visitor.page.route(f"{visitor.site.url}/v1/jobs/{job_id}", lambda route: on_its_way.append(route), times=1)
    delete_button(visitor).click()
    visitor.page.get_by_role("button", name="Delete for good").click()
    visitor.sees("Deleting")
    until(lambda: visitor.polls() and on_its_way, "the page has sent its wish")
    assert httpx.delete(f"{visitor.site.url}/v1/jobs/{job_id}", timeout=ANSWER_S).status_code == 204

    expect(visitor.stamp).to_have_text("Deleting")
    expect(visitor.page.get_by_role("status").filter(has_text="Deleting the job")).to_be_visible()
    for button in (cancel_button(visitor), delete_button(visitor)):
        expect(button).to_be_hidden()
    polls = len(visitor.polls())
    on_its_way[0].fulfill(status=204)
    expect(visitor.page.locator("#news")).to_have_text("talk.wav was deleted.")
    assert len(visitor.polls()) == polls
    expect(visitor.page.locator("#problem")).to_be_hidden()


def test_what_cannot_be_deleted_now_is_followed_on_and_can_be_deleted_later(visitor: Visitor) -> None:
    job_id = visitor.site.running(progress=0.1)
    visitor.open(job_id)
    visitor.sees("Running")
    with visitor.site.frozen_records():
        delete_button(visitor).click()
        visitor.page.get_by_role("button", name="Delete for good").click()
        visitor.sees_problem("The job records are unavailable", "", at="#action-problem")
    expect(visitor.stamp).to_have_text("Running")
    until(visitor.asked_last_to_wait, "the page waits for news of the job again", deadline_s=40)
    assert {"503" in complaint for complaint in visitor.complaints} == {True}
    visitor.complaints.clear()

    delete_button(visitor).click()
    visitor.page.get_by_role("button", name="Delete for good").click()
    expect(visitor.page.locator("#news")).to_have_text("talk.wav was deleted.")
    assert status_of(visitor, job_id) == 404


def test_a_job_that_is_gone_although_deleting_failed_can_be_deleted_again(visitor: Visitor) -> None:
    job_id = visitor.site.running(progress=0.1)
    visitor.open(job_id)
    visitor.sees("Running")

    def delete_then_fail(route: Route) -> None:
        assert httpx.delete(f"{visitor.site.url}/v1/jobs/{job_id}", timeout=ANSWER_S).status_code == 204
        route.fulfill(status=503, body="the files are unavailable")

    visitor.page.route(f"{visitor.site.url}/v1/jobs/{job_id}", delete_then_fail, times=1)
    delete_button(visitor).click()
    visitor.page.get_by_role("button", name="Delete for good").click()
    visitor.sees("Unknown")
    visitor.sees_problem("The service did not answer as expected", "status 503", at="#action-problem")

    delete_button(visitor).click()
    visitor.page.get_by_role("button", name="Delete for good").click()
    expect(visitor.page.locator("#news")).to_have_text("talk.wav was deleted.")
    visitor.complaints.clear()


def test_whoever_keeps_the_job_finds_everything_as_it_was(visitor: Visitor) -> None:
    job_id = visitor.site.succeeded(transcript("Good evening."))
    visitor.open(job_id)
    visitor.sees("Ready")
    for how in ("Enter", "Escape"):
        delete_button(visitor).click()
        expect(visitor.page.get_by_role("button", name="Keep it")).to_be_focused()
        visitor.page.keyboard.press(how)
        expect(dialog(visitor)).to_be_hidden()
        expect(delete_button(visitor)).to_be_focused()

    expect(visitor.page.locator("#segments")).to_contain_text("Good evening.")
    assert status_of(visitor, job_id) == 200


def test_a_job_that_somebody_else_deleted_meanwhile_goes_away_as_well(visitor: Visitor) -> None:
    job_id = visitor.site.succeeded(transcript("Good evening."))
    visitor.open(job_id)
    visitor.sees("Ready")
    assert httpx.delete(f"{visitor.site.url}/v1/jobs/{job_id}", timeout=ANSWER_S).status_code == 204
    delete_button(visitor).click()
    visitor.page.get_by_role("button", name="Delete for good").click()

    expect(visitor.page.locator("#news")).to_have_text("talk.wav was deleted.")
    visitor.complaints.clear()


def test_cancelling_and_deleting_carry_the_key(stranger: Visitor) -> None:
    job_id = stranger.site.queued()
    stranger.open(job_id)
    stranger.page.get_by_role("textbox", name="API key").fill(KEY)
    stranger.page.keyboard.press("Enter")
    cancel_button(stranger).click()
    stranger.sees("Cancelled")
    delete_button(stranger).click()
    stranger.page.get_by_role("button", name="Delete for good").click()

    expect(stranger.page.locator("#news")).to_have_text("talk.wav was deleted.")
    known = {"Authorization": f"Bearer {KEY}"}
    answer = httpx.get(f"{stranger.site.system.status_url}/v1/jobs/{job_id}", headers=known, timeout=ANSWER_S)
    assert answer.status_code == 404
    assert "401" in stranger.complaints.pop(0)
