"""`claimcheck verify` where it cannot do its work: 1 is for a promise that is broken, and it ends in order."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from claimcheck.commands.__main__ import main
from claimcheck.settings import environment_for_child
from tests.services.client.scripted import Answer, Scripted, refusal, scripted
from tests.stack.components import ROOT
from tests.stack.waiting import until
from tests.unit.claimcheck.client.test_answers import JOB

PASSES = 200
NO_KEY = refusal(401, "An API key is needed", "the API key is unknown")


def arguments(server: Scripted, *given: str) -> list[str]:
    """A command line that leads to the server."""
    return ["verify", *given, "--process-url", server.url, "--status-url", server.url]


@pytest.mark.parametrize("given", [("--since", "1h"), ("--jobs", "1", "--task", "probe")], ids=["window", "run"])
@pytest.mark.parametrize(
    "answer",
    [
        *(refusal(status, "No", "it is refused") for status in (400, 401, 403)),
        Answer(200, b"<html>", {"Content-Type": "text/html"}),
    ],
    ids=["400", "401", "403", "no Claimcheck"],
)
def test_what_is_refused_breaks_no_promise(
    given: tuple[str, ...], answer: Answer, capsys: pytest.CaptureFixture[str]
) -> None:
    with scripted(answer) as server:
        assert main(arguments(server, *given)) == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("given", [("--since", "9999999d"), ("--since", "1h", "--until", "9999999d")])
def test_time_that_lies_nowhere_is_a_mistake(given: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with scripted() as server:
        assert main(arguments(server, *given)) == 2
        assert server.asked == []
    assert "15m, 1h, 7d or" in capsys.readouterr().err


def test_jobs_that_cannot_be_read_are_asked_for_once_a_second() -> None:
    listed = Answer(200, {"v": 1, "jobs": []})
    with scripted(Answer(202, JOB), NO_KEY, *([listed, NO_KEY] * PASSES)) as server:
        assert main(arguments(server, "--jobs", "1", "--task", "probe", "--wait-s", "3")) == 1
        passes = sum(asked.first_line.startswith("GET /v1/jobs?") for asked in server.asked)
    assert 1 <= passes <= 5


@pytest.fixture
def begun() -> Any:
    """Starts a run that waits for the status API, which gives no answer."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(server: Scripted, before: Callable[[], object] | None = None) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "claimcheck.commands"]
        command += arguments(server, "--jobs", "1", "--task", "probe")
        process = subprocess.Popen(command, cwd=ROOT, env=environment_for_child({}), preexec_fn=before)
        started.append(process)
        until(lambda: len(server.asked) > 1, "the job is handed in and asked for", deadline_s=60)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_run_that_is_ended_ends_in_order(begun: Any, number: signal.Signals) -> None:
    with scripted(Answer(202, JOB)) as server:
        process = begun(server)
        process.send_signal(number)
        assert process.wait(30) == 130


def test_run_under_nohup_survives_its_terminal(begun: Any) -> None:
    with scripted(Answer(202, JOB)) as server:
        process = begun(server, lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        process.send_signal(signal.SIGHUP)
        asked = len(server.asked)
        until(lambda: len(server.asked) > asked + 1, "it goes on asking", deadline_s=60)
        assert process.poll() is None
