"""Handing a file in: from the form to the transcript, and what the form refuses."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser import recordings
from tests.browser.broken_answers import broken_answers
from tests.browser.site import transcript
from tests.browser.visitor import ENDS_S, Visitor
from tests.stack.waiting import until


def test_a_recording_handed_in_comes_back_as_a_transcript(visitor: Visitor) -> None:
    if not recordings.SPEECH.is_file():
        pytest.skip(f"there is no recording with speech at {recordings.SPEECH}")
    visitor.open()
    visitor.hand_in(recordings.SPEECH)

    visitor.sees("Ready")
    expect(visitor.page.locator("#segments")).to_contain_text("what your country can do for you")
    expect(visitor.page.locator("#result-facts")).to_have_text("English, 0:11, model tiny.en")
    expect(visitor.page.get_by_label("Recording", exact=True)).to_have_js_property("paused", True)
    assert visitor.page.title() == "Ready: fmt_jfk.mp3"


def test_a_recording_without_speech_says_that_there_was_none(visitor: Visitor, tmp_path: Path) -> None:
    visitor.open()
    visitor.hand_in(recordings.silence(tmp_path / "silence.wav"))

    visitor.sees("Ready")
    expect(visitor.page.get_by_text("No speech was found")).to_be_visible()
    expect(visitor.page.get_by_role("button", name="Copy text")).to_be_hidden()
    expect(visitor.page.get_by_role("link", name="Download JSON")).to_be_visible()


def test_a_reload_finds_the_queued_job_again_and_follows_it_to_its_end(visitor: Visitor, tmp_path: Path) -> None:
    visitor.open()
    with visitor.site.without("worker-1"):
        job_id = visitor.hand_in(recordings.silence(tmp_path / "silence.wav"))
        visitor.sees("Queued")
        visitor.page.reload()
        visitor.sees("Queued")
        expect(visitor.page.locator("#number")).to_have_text(job_id)
        expect(visitor.page.locator("#name")).to_have_text("silence.wav")
    visitor.sees("Ready")


def test_each_download_gives_the_result_in_its_format(visitor: Visitor) -> None:
    visitor.open(visitor.site.succeeded(transcript("Good evening.", "And welcome."), name="late show.wav"))
    visitor.sees("Ready")

    found = {}
    for form in ("json", "txt", "srt", "vtt"):
        with visitor.page.expect_download() as download:
            visitor.page.get_by_role("link", name=f"Download {form.upper()}").click()
        assert download.value.suggested_filename == f"late show.{form}"
        found[form] = Path(download.value.path()).read_text()

    assert json.loads(found["json"])["text"] == "Good evening. And welcome."
    assert found["txt"] == "Good evening.\nAnd welcome.\n"
    assert "00:00:02,000 --> 00:00:04,000\nAnd welcome." in found["srt"]
    assert found["vtt"].startswith("WEBVTT\n")


def test_a_file_that_is_no_recording_shows_why_it_failed_and_can_be_tried_again(
    visitor: Visitor, tmp_path: Path
) -> None:
    visitor.open()
    first = visitor.hand_in(recordings.no_recording(tmp_path / "song.mp3"))
    visitor.sees("Failed")
    visitor.sees_problem("The recording cannot be decoded", "The file is no recording")

    visitor.page.get_by_role("button", name="Try again").click()
    visitor.page.wait_for_url(lambda url: "#job=" in url and first not in url)
    visitor.sees_problem("The recording cannot be decoded", "The file is no recording")


def test_what_the_api_refuses_at_once_is_shown_with_its_reason(visitor: Visitor, tmp_path: Path) -> None:
    visitor.open()
    visitor.turn_to("Transcribe")
    visitor.choose(recordings.no_recording(tmp_path / "notes.txt"))
    visitor.page.get_by_role("button", name="Hand it in").click()

    visitor.sees_problem(
        "The media type is not supported", "The file is text/plain by its declared type; transcribe takes audio/*"
    )
    assert "415" in visitor.complaints.pop()

    visitor.page.get_by_role("button", name="Hand in another").click()
    expect(visitor.page.get_by_role("heading", name="Hand in a recording")).to_be_visible()


def test_the_chosen_language_reaches_the_job(visitor: Visitor, tmp_path: Path) -> None:
    visitor.open()
    visitor.page.get_by_label("Language spoken").select_option("German")
    visitor.hand_in(recordings.tone(tmp_path / "tone.wav", seconds=1))

    visitor.sees("Failed")
    visitor.sees_problem("The model does not know the language", "tiny.en")


def test_a_file_over_the_limit_is_refused_before_it_is_sent(visitor: Visitor, tmp_path: Path) -> None:
    big = tmp_path / "big.wav"
    big.write_bytes(bytes(2 * visitor.site.limit_bytes))
    visitor.open()
    visitor.choose(big)

    visitor.sees_problem("The file is too large", "The file is 2 MB; the limit is 1 MB.", at="#form-problem")
    expect(visitor.page.get_by_role("button", name="Hand it in")).to_be_disabled()
    assert [request.method for request in visitor.requests if request.method == "POST"] == []


def test_an_empty_file_is_refused_before_it_is_sent(visitor: Visitor, tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    visitor.open()
    visitor.choose(tmp_path / "empty.wav")

    visitor.sees_problem("The file is empty", "The file has 0 bytes; at least 1 is expected.", at="#form-problem")
    expect(visitor.page.get_by_role("button", name="Hand it in")).to_be_disabled()


def test_a_file_of_exactly_the_limit_is_taken(visitor: Visitor, tmp_path: Path) -> None:
    full = recordings.silence(tmp_path / "full.wav")
    full.write_bytes(full.read_bytes().ljust(visitor.site.limit_bytes, b"\0"))
    visitor.open()
    visitor.hand_in(full)

    visitor.sees("Ready")


def test_an_upload_shows_how_far_it_is_and_can_be_stopped(visitor: Visitor, tmp_path: Path) -> None:
    visitor.open()
    network = visitor.page.context.new_cdp_session(visitor.page)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 64 * 1024}
    network.send("Network.emulateNetworkConditions", slow)
    visitor.choose(recordings.tone(tmp_path / "tone.wav", seconds=30))
    visitor.page.get_by_role("button", name="Hand it in").click()

    visitor.sees("Sending")
    until(lambda: 0.1 < visitor.number("#progress", "value") < 1, "a part of the file is sent")
    visitor.page.get_by_role("button", name="Stop the upload").click()
    visitor.sees_problem("The upload was stopped", "Nothing was handed in.")

    network.send("Network.emulateNetworkConditions", {**slow, "uploadThroughput": -1})
    visitor.page.get_by_role("button", name="Try again").click()
    visitor.sees("Ready")


def test_a_file_dropped_anywhere_on_the_page_is_chosen(visitor: Visitor, tmp_path: Path) -> None:
    content = base64.b64encode(recordings.silence(tmp_path / "dropped.wav").read_bytes()).decode()
    visitor.open()
    transfer = visitor.page.evaluate_handle(
        """(content) => {
            const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], "dropped.wav", { type: "audio/wav" }));
            return transfer;
        }""",
        content,
    )
    visitor.page.dispatch_event("header", "dragover", {"dataTransfer": transfer})
    visitor.page.dispatch_event("header", "drop", {"dataTransfer": transfer})

    expect(visitor.page.locator("#chosen")).to_contain_text("dropped.wav")
    visitor.page.get_by_role("button", name="Hand it in").click()
    visitor.sees("Ready")


def test_going_back_during_an_upload_asks_before_it_stops_it(visitor: Visitor, tmp_path: Path) -> None:
    before = visitor.site.succeeded(transcript("Good evening."))
    visitor.open(before)
    visitor.sees("Ready")
    visitor.page.get_by_role("button", name="Hand in another").click()
    network = visitor.page.context.new_cdp_session(visitor.page)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 16 * 1024}
    network.send("Network.emulateNetworkConditions", slow)
    visitor.choose(recordings.tone(tmp_path / "kept.wav", seconds=30))
    visitor.page.get_by_role("button", name="Hand it in").click()
    visitor.sees("Sending")
    question = visitor.page.get_by_role("dialog", name="Stop the upload?")

    visitor.page.go_back()
    visitor.page.get_by_role("button", name="Keep sending").click()
    expect(question).to_be_hidden()
    expect(visitor.stamp).to_have_text("Sending")
    assert visitor.page.url == f"{visitor.site.url}/"

    visitor.page.go_back()
    visitor.page.get_by_role("button", name="Stop and leave").click()
    visitor.sees("Ready")
    assert visitor.ticket_number == before


def test_an_upload_that_ends_while_the_page_asks_takes_the_question_away(visitor: Visitor, tmp_path: Path) -> None:
    visitor.open(visitor.site.succeeded(transcript("Good evening.")))
    visitor.sees("Ready")
    visitor.page.get_by_role("button", name="Hand in another").click()
    visitor.choose(recordings.silence(tmp_path / "quick.wav"))
    with visitor.site.system.frozen("process-api"):
        visitor.page.get_by_role("button", name="Hand it in").click()
        visitor.sees("Sending")
        visitor.page.go_back()
        question = visitor.page.get_by_role("dialog", name="Stop the upload?")
        expect(question).to_be_visible()

    expect(question).to_be_hidden()
    expect(visitor.page.locator("#name")).to_have_text("quick.wav")
    visitor.sees("Ready")


def test_settings_whose_answer_breaks_off_are_asked_for_again(visitor: Visitor) -> None:
    with broken_answers() as elsewhere:
        visitor.page.route("**/page.json", lambda route: route.continue_(url=elsewhere), times=1)
        visitor.page.goto(visitor.site.url)
        visitor.sees_problem("The service did not answer as expected", "Its answer broke off.")
    assert visitor.strangers() == [elsewhere]
    visitor.requests.clear()
    visitor.complaints.clear()

    visitor.page.get_by_role("button", name="Try again").click()
    expect(visitor.page.get_by_role("heading", name="Hand in a recording")).to_be_visible()


def test_a_sign_in_page_in_place_of_the_settings_says_so_and_can_be_tried_again(visitor: Visitor) -> None:
    visitor.page.route("**/page.json", lambda route: route.fulfill(body="<html>Sign in</html>"), times=1)
    visitor.page.goto(visitor.site.url)
    visitor.sees_problem("The service did not answer as expected", "perhaps a sign-in page")
    expect(visitor.stamp).to_have_text("No answer")

    visitor.page.get_by_role("button", name="Try again").click()
    expect(visitor.page.get_by_role("heading", name="Hand in a recording")).to_be_visible()


def test_a_file_is_handed_in_with_the_keyboard_alone(visitor: Visitor, tmp_path: Path) -> None:
    # Playwright does not wait until it catches choosers; asked for only at the key, some open in the browser itself.
    visitor.page.on("filechooser", lambda _: None)
    visitor.open()
    visitor.page.locator("#hand-in-title").focus()
    visitor.page.keyboard.press("Tab")
    with visitor.page.expect_file_chooser() as chooser:
        visitor.page.keyboard.press("Enter")
    chooser.value.set_files(recordings.silence(tmp_path / "silence.wav"))

    expect(visitor.page.get_by_role("button", name="Hand it in")).to_be_focused()
    visitor.page.keyboard.press("Enter")
    expect(visitor.page.get_by_role("heading", name="silence.wav")).to_be_focused(timeout=ENDS_S * 1000)
    visitor.sees("Ready")
