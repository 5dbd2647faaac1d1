"""An installation with API keys: the page asks for one, keeps it in the tab, and forgets it when told to."""

from __future__ import annotations

import json
from pathlib import Path

from playwright.sync_api import Locator, expect

from tests.browser import recordings
from tests.browser.broken_answers import broken_answers
from tests.browser.conftest import KEY
from tests.browser.site import transcript
from tests.browser.visitor import Visitor


def dialog(visitor: Visitor) -> Locator:
    """The question for the key."""
    return visitor.page.get_by_role("dialog", name="An API key is needed")


def forget_button(visitor: Visitor) -> Locator:
    """The button that is there while the tab has a key."""
    return visitor.page.get_by_role("button", name="Forget the API key")


def give(visitor: Visitor, key: str) -> None:
    """Answer the question."""
    visitor.page.get_by_role("textbox", name="API key").fill(key)
    visitor.page.get_by_role("button", name="Use this key").click()


def refusals(visitor: Visitor) -> int:
    """How many 401 the browser noticed; they are no complaint any more."""
    found = [complaint for complaint in visitor.complaints if "401" in complaint]
    visitor.complaints = [complaint for complaint in visitor.complaints if "401" not in complaint]
    return len(found)


def kept(visitor: Visitor) -> list[str]:
    """Everything that the browser stores for the page."""
    stored: list[str] = visitor.page.evaluate("[...Object.values(sessionStorage), ...Object.values(localStorage)]")
    return [*stored, *(cookie["value"] for cookie in visitor.page.context.cookies())]


def test_a_file_is_not_sent_before_a_key_is_given(stranger: Visitor, tmp_path: Path) -> None:
    stranger.open()
    expect(dialog(stranger)).to_be_hidden()
    stranger.choose(recordings.silence(tmp_path / "keyed.wav"))
    stranger.page.get_by_role("button", name="Hand it in").click()
    expect(dialog(stranger)).to_be_visible()
    assert [request.method for request in stranger.requests if request.method == "POST"] == []

    give(stranger, KEY)
    stranger.sees("Queued")
    expect(forget_button(stranger)).to_be_visible()
    assert refusals(stranger) == 1


def test_a_wrong_key_says_so_and_the_right_one_opens_the_ticket(stranger: Visitor) -> None:
    stranger.open(stranger.site.succeeded(transcript("Good evening.")))
    field = stranger.page.get_by_role("textbox", name="API key")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("type", "password")
    expect(field).to_have_attribute("autocomplete", "off")
    give(stranger, "cc_wrong")

    expect(dialog(stranger)).to_contain_text("This installation does not know the key.")
    expect(field).to_have_value("")
    expect(field).to_be_focused()
    give(stranger, f" {KEY} ")
    stranger.sees("Ready")
    expect(stranger.page.locator("#segments")).to_contain_text("Good evening.")
    assert refusals(stranger) == 2


def test_whoever_gives_no_key_is_told_that_one_is_needed_and_may_try_again(stranger: Visitor) -> None:
    stranger.open(stranger.site.succeeded(transcript("Good evening.")))
    expect(dialog(stranger)).to_be_visible()
    stranger.page.keyboard.press("Escape")

    stranger.sees_problem("An API key is needed", "This installation answers nobody without one.")
    expect(stranger.stamp).to_have_text("No answer")
    stranger.page.get_by_role("button", name="Try again").click()
    give(stranger, KEY)
    stranger.sees("Ready")
    assert refusals(stranger) == 2


def test_leaving_the_ticket_takes_the_question_away(stranger: Visitor) -> None:
    stranger.open()
    stranger.page.evaluate("id => { location.hash = `job=${id}` }", stranger.site.queued())
    expect(dialog(stranger)).to_be_visible()
    stranger.page.go_back()

    expect(dialog(stranger)).to_be_hidden()
    expect(stranger.page.get_by_role("heading", name="Hand in a recording")).to_be_visible()
    assert refusals(stranger) == 1


def test_the_key_outlasts_a_reload_in_its_tab_and_nowhere_else(stranger: Visitor) -> None:
    stranger.open(stranger.site.succeeded(transcript("Good evening.")))
    give(stranger, KEY)
    stranger.sees("Ready")
    stranger.page.reload()
    stranger.sees("Ready")
    assert kept(stranger) == [KEY]
    assert refusals(stranger) == 1

    other = stranger.page.context.new_page()
    other.goto(stranger.page.url)
    expect(other.get_by_role("dialog", name="An API key is needed")).to_be_visible()


def test_a_forgotten_key_is_gone_with_what_it_showed(stranger: Visitor) -> None:
    job_id = stranger.site.succeeded(transcript("Good evening."))
    stranger.open(job_id)
    give(stranger, KEY)
    stranger.sees("Ready")
    forget_button(stranger).click()

    expect(stranger.page.get_by_role("heading", name="Hand in a recording")).to_be_focused()
    expect(stranger.page.locator("#news")).to_have_text("The key is forgotten.")
    expect(stranger.page.get_by_role("status").filter(has_text="The key is forgotten.")).to_have_count(1)
    expect(forget_button(stranger)).to_be_hidden()
    assert kept(stranger) == []
    stranger.page.evaluate("id => { location.hash = `job=${id}` }", job_id)
    expect(dialog(stranger)).to_be_visible()
    assert refusals(stranger) == 2


def test_each_download_carries_the_key(stranger: Visitor) -> None:
    stranger.open(stranger.site.succeeded(transcript("Good evening.", "And welcome."), name='say "hi" — später.wav'))
    give(stranger, KEY)
    stranger.sees("Ready")

    found = {}
    for form in ("json", "txt", "srt", "vtt"):
        with stranger.page.expect_download() as download:
            stranger.page.get_by_role("button", name=f"Download {form.upper()}").click()
        assert download.value.suggested_filename.endswith(f"hi_ — später.{form}")
        found[form] = Path(download.value.path()).read_text()
    assert json.loads(found["json"])["text"] == "Good evening. And welcome."
    assert found["txt"] == "Good evening.\nAnd welcome.\n"
    assert refusals(stranger) == 1


def test_a_download_that_fails_says_why(stranger: Visitor) -> None:
    stranger.open(stranger.site.succeeded(transcript("Good evening.")))
    give(stranger, KEY)
    stranger.sees("Ready")
    assert refusals(stranger) == 1
    with stranger.site.frozen_records():
        stranger.page.get_by_role("button", name="Download TXT").click()
        stranger.sees_problem("The job records are unavailable", "", at="#download-problem")
    assert "503" in stranger.complaints.pop()


def test_a_download_that_breaks_off_or_is_something_else_says_so(stranger: Visitor) -> None:
    stranger.open(stranger.site.succeeded(transcript("Good evening.")))
    give(stranger, KEY)
    stranger.sees("Ready")
    assert refusals(stranger) == 1
    button = stranger.page.get_by_role("button", name="Download TXT")
    with broken_answers() as elsewhere:
        stranger.page.route("**/result**", lambda route: route.continue_(url=elsewhere), times=1)
        button.click()
        stranger.sees_problem("The service did not answer as expected", "Its answer broke off.", at="#download-problem")
    assert stranger.strangers() == [elsewhere]
    stranger.requests.clear()
    stranger.complaints.clear()

    stranger.page.route(
        "**/result**",
        lambda route: route.fulfill(body="<html>Sign in</html>", headers={"Access-Control-Allow-Origin": "*"}),
    )
    button.click()
    stranger.sees_problem("The service did not answer as expected", "something else than", at="#download-problem")


def test_where_no_key_is_needed_none_is_mentioned(visitor: Visitor) -> None:
    visitor.open(visitor.site.succeeded(transcript("Good evening.")))
    visitor.sees("Ready")

    expect(forget_button(visitor)).to_be_hidden()
    expect(dialog(visitor)).to_be_hidden()
    assert "key" not in visitor.page.locator("body").inner_text().lower()
    assert [request.url for request in visitor.requests if "authorization" in request.headers] == []
