"""What the page says of answers: where they come from, what they cost, and what is missing in them."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.site import Site, answer
from tests.browser.visitor import Visitor

USAGE: dict[str, Any] = {"requests": 3, "lost_requests": 1, "input_tokens": 5120, "output_tokens": 334, "endpoints": []}
HOSTILE = "<img src=x onerror='window.ran=true'> [here](javascript:window.ran=true) **bold**"
MISSING = {"slug": "part-skipped", "detail": "pages 3 to 5 could not be read: every attempt failed", "part": 1}
NO_ENDPOINT = {
    "type": "urn:claimcheck:problem:no-endpoint",
    "title": "No endpoint can do this",
    "status": 422,
    "detail": "no endpoint takes images; set AZURE_OPENAI_ENDPOINT and AZURE_OPENAI_DEPLOYMENT, or OPENAI_API_KEY",
}


def test_a_summary_names_its_source_what_could_not_be_read_and_what_it_cost(visitor: Visitor) -> None:
    result = answer("Short.", chars=345_678, pages=201, windows=17, warnings=[MISSING])
    visitor.open(
        visitor.site.succeeded(result | {"usage": USAGE | {"cost": 0.001234, "currency": "USD"}}, task="summarize")
    )

    expect(visitor.page.locator("#result-facts")).to_have_text("201 pages, 345,678 characters, read in 17 pieces")
    expect(visitor.page.get_by_role("list", name="Warnings")).to_have_text(
        "Pages 3 to 5 could not be read: every attempt failed."
    )
    expect(visitor.fact("Model")).to_have_text("scripted-1")
    expect(visitor.fact("Tokens")).to_have_text("5,120 in, 334 out")
    expect(visitor.fact("Cost")).to_have_text("0.00123 USD")
    expect(visitor.fact("Lost requests")).to_have_text("1, not in the cost")
    expect(visitor.page.locator("#demonstration")).to_be_hidden()


def test_the_answer_of_a_demonstration_model_is_labelled(visitor: Visitor) -> None:
    visitor.open(visitor.site.succeeded(answer("Babble.", demonstration=True), task="complete"))

    expect(visitor.page.get_by_text("Demonstration model: good for trying the system out")).to_be_visible()
    expect(visitor.fact("Lost requests")).to_have_count(0)


def test_an_answer_is_copied_as_it_stands(visitor: Visitor) -> None:
    visitor.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    for result, copied in ((answer("One.\n\nTwo."), "One.\n\nTwo."), (answer("{}", data={"a": 1}), '{\n  "a": 1\n}')):
        visitor.open(visitor.site.succeeded(result, task="complete"))
        visitor.sees("Ready")
        visitor.stop_the_clock()
        visitor.page.get_by_role("button", name="Copy text").click()
        expect(visitor.page.get_by_role("button", name="Copied")).to_be_visible()
        assert visitor.page.evaluate("navigator.clipboard.readText()") == copied
        visitor.page.clock.resume()


def test_a_hostile_answer_is_text_in_every_place(visitor: Visitor) -> None:
    warning = {"slug": "x", "detail": HOSTILE, "part": None}
    usage = USAGE | {"cost": 1, "currency": HOSTILE}
    hostile = answer(HOSTILE, tags=[HOSTILE], warnings=[warning], model=HOSTILE, prompt=HOSTILE, usage=usage)
    visitor.open(visitor.site.succeeded(hostile, name=HOSTILE, task="describe"))
    expect(visitor.answer).to_have_text(HOSTILE)
    expect(visitor.page.locator("#tags li")).to_have_text(HOSTILE)
    expect(visitor.fact("Model")).to_have_text(HOSTILE)
    visitor.open(visitor.site.succeeded(answer("{}", data={HOSTILE: HOSTILE}), task="complete"))
    expect(visitor.page.locator("#answer-data")).to_contain_text(HOSTILE)

    assert visitor.page.evaluate("window.ran ?? false") is False
    assert (
        visitor.page.locator("#result a[href^=javascript], #result img[src=x], #result strong:text('bold')").count()
        == 0
    )


def test_a_task_without_a_model_says_what_to_set(visitor: Visitor) -> None:
    visitor.open(visitor.site.failed(NO_ENDPOINT, name="hill.png", task="describe"))

    visitor.sees("Failed")
    visitor.sees_problem("No endpoint can do this", "No endpoint takes images; set AZURE_OPENAI_ENDPOINT and")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_form_and_no_answer_is_cut_off_at_a_width_of_360_pixels(
    browser: Browser, site: Site, scheme: Literal["light", "dark"]
) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 780}, color_scheme=scheme)
    visitor = Visitor(context.new_page(), site)
    visitor.open()
    widths, width = set(), "document.documentElement.scrollWidth"
    for task in ("Transcribe", "Describe", "Summarize", "Complete", "Probe"):
        visitor.turn_to(task)
        widths.add(visitor.page.evaluate(width))
    long = "unbreakable" * 20
    for result in (answer(long, tags=[long], model=long, pages=3), answer("{}", data={long: [long]})):
        visitor.open(site.succeeded(result, task="describe"))
        visitor.sees("Ready")
        expect(visitor.page.locator("#answer")).to_be_visible()
        widths.add(visitor.page.evaluate(width))
    context.close()

    assert widths == {360}


def test_every_control_of_each_task_and_of_an_answer_has_a_name(visitor: Visitor) -> None:
    nameless = """() => [...document.querySelectorAll("button, a, select, input, textarea, summary, pre")]
        .filter((node) => node.checkVisibility())
        .filter((node) => !(node.labels?.length || node.ariaLabel || node.textContent.trim()))
        .map((node) => node.outerHTML)"""
    visitor.open()
    for task in ("Transcribe", "Describe", "Summarize", "Complete", "Probe"):
        visitor.turn_to(task)
        assert visitor.page.evaluate(nameless) == []
    visitor.open(visitor.site.succeeded(answer("{}", data={}), task="complete"))
    visitor.sees("Ready")
    assert visitor.page.evaluate(nameless) == []
