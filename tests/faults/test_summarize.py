"""A text of 200 pages is summarized whatever befalls: its worker dies, a window is refused, its parts wait for long.

A page is 2,500 characters. The windows are those of the settings' default; each is one question to a scripted model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from claimcheck.job import timestamp
from tests.conftest import RunSystem
from tests.stack.by_hand import ByHand
from tests.stack.client import Body, Client
from tests.stack.endpoints import RunEndpoint, ScriptedEndpoint, variables
from tests.stack.names import LOCK_S, NameStock
from tests.stack.services import Services
from tests.stack.stores import Stores
from tests.stack.system import System
from tests.stack.waiting import until

WORKER, KEEPER = "language-1", "keeper-1"
PAGES, PAGE_CHARS = 200, 2500
LEAST_WINDOWS = 27  # 500,000 bytes in windows of at most 18,000
AT_ONCE = 4  # parts of a job
ENDED_S = 60.0
LOCKS = 30
WINDOW, COMBINE = "You summarize a long text", "You make one summary"
ENV = {
    "CLAIMCHECK_LANGUAGE__SLOTS": str(AT_ONCE),
    "CLAIMCHECK_LANGUAGE__CALL_S": "180",  # A question that hangs does so for as long as a test lasts.
    "CLAIMCHECK_QUEUE__RENEW_S": "1",
    "CLAIMCHECK_KEEPER__RESCUE_S": "0.3",
    "CLAIMCHECK_LOG__LEVEL": "DEBUG",
}


def book() -> str:
    """A text of 200 pages, no two of which are the same."""
    sentence = "On page {page:03} in line {line:02} the clerk wrote down what had happened to him."
    lines = PAGE_CHARS // len(sentence.format(page=0, line=0))
    pages = ("\n".join(sentence.format(page=page, line=line) for line in range(lines)) for page in range(PAGES))
    return "\n\n".join(page.ljust(PAGE_CHARS - 2, ".") for page in pages)


@dataclass(frozen=True)
class Desk:
    """A worker that asks a scripted model, a keeper that looks often, a client, and what they have stored."""

    system: System
    client: Client
    stores: Stores
    endpoint: ScriptedEndpoint

    def submit(self, text: str) -> str:
        """Hand a text in; the job's id."""
        return self.client.submit(text.encode(), task="summarize", media_type="text/plain", name="book.txt")

    def questions(self, prompt: str) -> dict[str, list[Body]]:
        """The requests whose instructions begin so, by the text that they were about."""
        found: dict[str, list[Body]] = {}
        for request in self.endpoint.requests():
            system, content = request["body"]["messages"]
            if system["content"].startswith(prompt):
                found.setdefault(re.sub("^BEGIN .*\n|\nEND .*$", "", content["content"]), []).append(request)
        return found

    def said(self, program: str, event: str, job_id: str) -> int:
        """How often a program has said so of a job."""
        return sum(f" {event} " in line and job_id in line for line in self.system.logs(program).splitlines())

    def readings(self, job_id: str) -> int:
        """How often the text was begun to be read."""
        taken = [line for line in self.system.logs(WORKER).splitlines() if " job.taken " in line and job_id in line]
        return sum("stage=read" in line for line in taken)

    def done(self, job_id: str) -> int:
        """How many parts are done."""
        return sum(item["job_id"] == job_id for item in self.stores.items("part"))


@pytest.fixture(scope="module")
def running(
    run_system: RunSystem, run_endpoint: RunEndpoint, services: Services, name_stock: NameStock
) -> Iterator[Desk]:
    """One system for the module."""
    names = name_stock.take()
    with run_endpoint() as endpoint:
        env = {**ENV, **variables(endpoint.endpoint_settings("only"))}
        with (
            run_system(workers=0, language_workers=1, keepers=1, names=names, env=env) as system,
            Client(system.process_url, system.status_url) as client,
        ):
            yield Desk(system, client, Stores(services, names, "language"), endpoint)


@pytest.fixture
def desk(running: Desk) -> Iterator[Desk]:
    """The same without the rules and requests of other tests; a test leaves the worker running."""
    running.endpoint.clear()
    yield running
    running.endpoint.clear()


def succeeded(desk: Desk, job_id: str) -> dict[str, Any]:
    """The one result of the job."""
    job = desk.client.until_ended(job_id, deadline_s=ENDED_S)
    assert job["status"] == "succeeded", job
    assert len(desk.stores.results_of(job_id)) == 1
    result: dict[str, Any] = job["result"]
    return result


@pytest.mark.timeout(180)
def test_a_worker_that_is_killed_in_the_middle_costs_what_it_was_at_and_nothing_is_counted_twice(desk: Desk) -> None:
    part: dict[str, Any] = {"match": {"text": WINDOW}, "answer": "A part."}
    third = LEAST_WINDOWS // 3
    _, stuck, *_ = desk.endpoint.script(
        {**part, "times": third}, {**part, "action": "hang"}, part, {"answer": "The whole."}
    )
    text = book()
    job_id = desk.submit(text)
    until(lambda: desk.done(job_id) == third, "a third is done", deadline_s=ENDED_S)
    until(lambda: desk.endpoint.counts()["under_way"] == AT_ONCE, "the next are asked")
    desk.system.kill(WORKER)
    desk.endpoint.remove(stuck)
    desk.system.restart(WORKER)

    result = succeeded(desk, job_id)
    windows, usage = desk.questions(WINDOW), result["usage"]
    assert result["text"] == "The whole."
    assert result["warnings"] == []
    assert result["windows"] == len(windows) >= LEAST_WINDOWS
    assert sum(map(len, windows)) == len(text) == result["chars"]
    # Combined once, of each window's summary once.
    ((combined, requests),) = desk.questions(COMBINE).items()
    assert combined == "\n\n".join(["A part."] * len(windows))
    assert len(requests) == 1
    # Every window counts once, however often it was asked about; what the kill cost is told.
    counted = [asked[-1] for asked in windows.values()] + requests
    assert usage["requests"] == len(counted)
    assert usage["input_tokens"] == sum(request["prompt_tokens"] for request in counted)
    assert usage["output_tokens"] == sum(request["completion_tokens"] for request in counted)
    again = len(desk.endpoint.requests()) - len(counted)
    assert again == usage["lost_requests"] == AT_ONCE


@pytest.mark.timeout(180)
def test_a_second_reading_takes_the_cuts_of_the_first_and_leaves_no_second_text(desk: Desk) -> None:
    desk.endpoint.script(answer="A part.")
    # The first patch takes the job; without another it cannot move on, when text and manifest are kept.
    with desk.stores.records_fault(kind="patch", nth=2, action="fail", error="503", times=10_000):
        job_id = desk.submit(book())
        until(lambda: len(kept(desk, job_id)) == 2, "text and manifest are kept", deadline_s=ENDED_S)
        until(lambda: desk.said(WORKER, "dependency.retry", job_id), "the job would move on", deadline_s=ENDED_S)
        desk.system.kill(WORKER)
    first = kept(desk, job_id)
    assert len(first) == 2
    ByHand(desk.stores).end_leases()
    desk.system.restart(WORKER)
    result = succeeded(desk, job_id)
    assert desk.readings(job_id) == 2
    assert kept(desk, job_id) == first
    assert result["usage"]["requests"] == result["windows"] + 1


def kept(desk: Desk, job_id: str) -> dict[str, bytes]:
    """What the stages of the job have kept for each other."""
    return {name: desk.stores.read_blob(name) for name in desk.stores.blobs(f"parts/default/{job_id}/")}


@pytest.mark.parametrize(("action", "paid"), [("filter-prompt", 0), ("filter-answer", 1)])
def test_a_window_that_cannot_be_read_is_a_warning_that_says_which(desk: Desk, action: str, paid: int) -> None:
    text = book()
    word = "On page 100 in line 10 "
    desk.endpoint.script({"match": {"text": word}, "action": action}, {"answer": "A part."})
    result = succeeded(desk, desk.submit(text))
    (warning,) = result["warnings"]
    assert warning["slug"] == "part-unread"
    assert "content filter" in warning["detail"]
    places = re.match(r"characters ([\d,]+) to ([\d,]+) are missing", warning["detail"])
    assert places is not None
    first, last = (int(place.replace(",", "")) for place in places.groups())
    (missing,) = (window for window in desk.questions(WINDOW) if word in window)
    assert text[first - 1 : last] == missing
    assert warning["part"] == sorted(desk.questions(WINDOW), key=text.index).index(missing)
    # An answer that was filtered is paid for all the same.
    assert result["usage"]["requests"] == result["windows"] - 1 + paid + 1


@pytest.mark.timeout(180)
def test_parts_that_wait_for_30_locks_are_neither_rescued_nor_started_again(desk: Desk) -> None:
    (stuck,) = desk.endpoint.script({"match": {"text": WINDOW}, "action": "hang"})
    job_id = desk.submit(book())
    until(lambda: len(desk.questions(WINDOW)) == AT_ONCE, "the first parts are run", deadline_s=ENDED_S)
    desk.system.kill(WORKER)
    by_hand = ByHand(desk.stores)
    by_hand.end_leases()
    before = desk.stores.record(job_id)
    for _ in range(LOCKS // 5):
        let_pass(desk, by_hand, job_id, timedelta(seconds=5 * LOCK_S))
        until_looked(desk, 2)
    assert desk.said(KEEPER, "job.rescued", job_id) == 0
    assert desk.stores.counts()["active"] == AT_ONCE
    assert desk.stores.record(job_id)["epoch"] == before["epoch"]

    desk.endpoint.remove(stuck)
    desk.system.restart(WORKER)
    result = succeeded(desk, job_id)
    assert desk.stores.record(job_id)["epoch"] == before["epoch"]
    assert desk.said(KEEPER, "job.rescued", job_id) == 0
    assert desk.readings(job_id) == 1
    # Each window was asked about once, but for those that the kill had lost.
    asked = [len(requests) for requests in desk.questions(WINDOW).values()]
    assert len(asked) == result["windows"]
    assert sorted(asked)[-AT_ONCE - 1 :] == [1] + [2] * AT_ONCE
    assert result["usage"]["lost_requests"] == AT_ONCE


def let_pass(desk: Desk, by_hand: ByHand, job_id: str, passed: timedelta) -> None:
    """Let everything have happened so much earlier. The queue first: records older than it would look forgotten."""
    by_hand.age(passed)
    moved_at = datetime.fromisoformat(desk.stores.record(job_id)["moved_at"]) - passed
    desk.stores.change_record(job_id, moved_at=timestamp(moved_at))


def until_looked(desk: Desk, times: int) -> None:
    """Wait until the rescuer has seen a candidate and looked at the line so often from now on."""

    def looks() -> int:
        return desk.system.logs(KEEPER).count(" queue.looked_at ")

    then = looks()
    until(lambda: looks() >= then + times, f"{times} looks", deadline_s=20)
