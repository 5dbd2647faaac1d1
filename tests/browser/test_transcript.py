"""The transcript: listening along, copying, warnings, small screens, names for every control."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import recordings
from tests.browser.site import Site, transcript
from tests.browser.visitor import Visitor
from tests.stack.waiting import until

TEXTS = ("Good evening.", "This is the news.", "And now the weather.")
EVERY_S = 40.0  # Longer than a test looks at a segment while it plays.


def test_clicking_a_segment_plays_from_there_and_the_present_one_is_marked(visitor: Visitor, tmp_path: Path) -> None:
    visitor.open(visitor.site.succeeded(transcript(*TEXTS, every_s=EVERY_S)))
    visitor.sees("Ready")
    expect(visitor.page.get_by_role("button", name="0:40")).to_be_disabled()
    visitor.page.set_input_files("#recording", recordings.silence(tmp_path / "talk.wav", seconds=len(TEXTS) * EVERY_S))

    visitor.page.get_by_role("button", name="Play from 0:40").click()
    expect(visitor.segments.nth(1)).to_have_attribute("aria-current", "true")
    until(lambda: visitor.number("audio", "currentTime") > EVERY_S, "the player plays from 40 s on")
    visitor.page.get_by_text("And now the weather.").click()
    expect(visitor.segments.nth(2)).to_have_attribute("aria-current", "true")
    expect(visitor.page.locator("[aria-current]")).to_have_count(1)


def test_a_file_that_the_browser_cannot_play_says_so(visitor: Visitor, tmp_path: Path) -> None:
    visitor.open(visitor.site.succeeded(transcript(*TEXTS)))
    visitor.page.set_input_files("#recording", recordings.no_recording(tmp_path / "talk.wav"))

    expect(visitor.page.get_by_text("This browser cannot play the file.")).to_be_visible()


def test_text_and_link_are_copied_to_the_clipboard(visitor: Visitor) -> None:
    visitor.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    job_id = visitor.site.succeeded(transcript(*TEXTS))
    visitor.open(job_id)
    visitor.sees("Ready")
    visitor.stop_the_clock()

    visitor.page.get_by_role("button", name="Copy text").click()
    expect(visitor.page.get_by_role("button", name="Copied")).to_be_visible()
    assert visitor.page.evaluate("navigator.clipboard.readText()") == " ".join(TEXTS)

    visitor.page.get_by_role("button", name="Copy link").click()
    expect(visitor.page.locator("#copy-link")).to_have_text("Copied")
    assert visitor.page.evaluate("navigator.clipboard.readText()") == f"{visitor.site.url}/#job={job_id}"


def test_warnings_stand_above_the_transcript(visitor: Visitor) -> None:
    warning = {"slug": "media-damaged", "detail": "parts of the recording are damaged: 3 packets could not be decoded"}
    visitor.open(visitor.site.succeeded(transcript(*TEXTS, warnings=(warning,))))

    expect(visitor.page.get_by_role("list", name="Warnings")).to_have_text(
        "Parts of the recording are damaged: 3 packets could not be decoded."
    )


def test_the_time_of_the_hand_in_is_never_torn_apart(browser: Browser, site: Site) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 780}, locale="en-US", timezone_id="UTC")
    visitor = Visitor(context.new_page(), site)
    visitor.open(site.queued())
    visitor.sees("Queued")
    lines = visitor.page.evaluate(
        """() => {
            const facts = document.querySelector("#facts");
            const texts = document.createTreeWalker(facts, NodeFilter.SHOW_TEXT);
            while (!texts.nextNode().data.includes("handed in"));
            const range = document.createRange();
            range.setStart(texts.currentNode, texts.currentNode.data.indexOf("handed in"));
            range.setEndAfter(texts.currentNode);
            return new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size;
        }"""
    )
    context.close()

    assert lines == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_off_at_a_width_of_360_pixels(
    browser: Browser, site: Site, tmp_path: Path, scheme: Literal["light", "dark"]
) -> None:
    name = "a_very_long_file_name_without_any_space_in_it" * 3 + ".wav"
    context = browser.new_context(viewport={"width": 360, "height": 780}, color_scheme=scheme)
    visitor = Visitor(context.new_page(), site)
    visitor.open(site.succeeded(transcript("unbreakable" * 12, *TEXTS), name=name))
    visitor.sees("Ready")
    visitor.page.set_input_files("#recording", recordings.tone(tmp_path / "talk.wav"))
    expect(visitor.page.get_by_label("Recording", exact=True)).to_be_visible()
    widths = [visitor.page.evaluate("document.documentElement.scrollWidth")]
    visitor.page.get_by_role("button", name="Hand in another").click()
    widths.append(visitor.page.evaluate("document.documentElement.scrollWidth"))
    context.close()

    assert widths == [360, 360]


def test_every_control_has_a_name(visitor: Visitor, tmp_path: Path) -> None:
    visitor.open(visitor.site.succeeded(transcript(*TEXTS)))
    visitor.sees("Ready")

    nameless = visitor.page.evaluate(
        """() => [...document.querySelectorAll("button, a, select, input, audio")]
            .filter((node) => !(node.labels?.length || node.ariaLabel || node.textContent.trim()))
            .map((node) => node.outerHTML)"""
    )
    assert nameless == []
