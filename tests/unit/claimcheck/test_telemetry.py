"""Log lines: a line's own fields, and those of the context it is said in."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest

from claimcheck.errors import MalformedUpload
from claimcheck.settings import LogSettings
from claimcheck.telemetry import configure_logging, log_context
from services.process_api.form import Form

log = logging.getLogger("claimcheck.test")


LOUD = (
    "azure",
    "azure.servicebus",
    "uvicorn",
    "httpx",
    "httpcore",
    "faster_whisper",
    "huggingface_hub",
    "python_multipart",
)
Configure = Callable[[Literal["text", "json"]], None]


@pytest.fixture
def configure() -> Iterator[Configure]:
    """Configure the logs of this process; they are as before afterwards."""
    root = logging.getLogger()
    handlers, levels = root.handlers[:], {name: logging.getLogger(name).level for name in ("", *LOUD)}

    def apply(form: Literal["text", "json"]) -> None:
        root.handlers = []
        configure_logging(LogSettings(format=form))

    yield apply
    root.handlers = handlers
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def said(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The fields of each line, without those that every line has."""
    every = {"at", "level", "logger", "event"}
    parsed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [{key: value for key, value in line.items() if key not in every} for line in parsed]


def test_lines_carry_the_fields_of_their_context(configure: Configure, capsys: pytest.CaptureFixture[str]) -> None:
    configure("json")
    with log_context(job_id="1", stage="whole"):
        log.info("a", extra={"part": 2})
        with log_context(stage="split"):
            log.info("b")
        log.info("c", extra={"stage": "own"})
    log.info("d")
    assert said(capsys) == [
        {"job_id": "1", "stage": "whole", "part": 2},
        {"job_id": "1", "stage": "split"},
        {"job_id": "1", "stage": "own"},
        {},
    ]


async def test_tasks_do_not_see_each_others_context(configure: Configure, capsys: pytest.CaptureFixture[str]) -> None:
    configure("json")
    both = asyncio.Barrier(2)

    async def work(job_id: str) -> None:
        with log_context(job_id=job_id):
            await both.wait()
            await asyncio.to_thread(log.info, "in a thread")

    await asyncio.gather(work("1"), work("2"))
    assert sorted(str(line["job_id"]) for line in said(capsys)) == ["1", "2"]


def test_line_for_reading_shows_the_context_too(configure: Configure, capsys: pytest.CaptureFixture[str]) -> None:
    configure("text")
    with log_context(job_id="1"):
        log.info("job.taken", extra={"attempt": 1})
    assert capsys.readouterr().out.rstrip().endswith("INFO    job.taken job_id=1 attempt=1")


def test_value_with_a_line_feed_makes_no_line_of_its_own(
    configure: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    configure("text")

    log.info("model.answered", extra={"answer": "yes\n12:00:00.000 ERROR   job.failed"})

    (line,) = capsys.readouterr().out.splitlines()
    assert line.endswith(r"answer='yes\n12:00:00.000 ERROR   job.failed'")


async def test_malformed_body_is_no_line_of_its_parser(
    configure: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    configure("json")
    with pytest.raises(MalformedUpload):
        Form("multipart/form-data; boundary=b", {}).feed(b"no boundary")
    assert said(capsys) == []
