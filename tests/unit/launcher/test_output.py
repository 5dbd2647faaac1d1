"""claimcheck/commands/up/output.py and stopping.py: what is said, what is kept, and how often one asks to stop."""

from __future__ import annotations

import io
import signal
from pathlib import Path

from claimcheck.commands.up.output import LOG_BYTES, TAIL_LINES, LogFile, Output
from claimcheck.commands.up.stopping import SAME_REQUEST_S, Stopping


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class ClosedPipe(io.StringIO):
    """A stream whose reader is gone."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_prefixes_are_aligned_and_without_colour_in_a_file(tmp_path: Path) -> None:
    stream = io.StringIO()
    output = Output(stream, tmp_path, ["azurite", "process-api"])

    output.line("azurite", "one")
    output.line("process-api", "two")
    output.close()

    assert stream.getvalue() == "azurite     | one\nprocess-api | two\n"


def test_prefixes_are_coloured_on_a_terminal(tmp_path: Path) -> None:
    stream = Terminal()
    output = Output(stream, tmp_path, ["azurite"])

    output.line("azurite", "one")
    output.close()

    assert stream.getvalue() == "\x1b[36mazurite |\x1b[0m one\n"


def test_a_reader_that_is_gone_does_not_stop_the_log(tmp_path: Path) -> None:
    output = Output(ClosedPipe(), tmp_path, ["azurite"])

    output.line("azurite", "one")
    output.close()

    assert (tmp_path / "azurite.log").read_text() == "one\n"


def test_a_log_is_bounded_and_keeps_the_lines_before(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "program.log")
    line = "x" * 10_000
    for _ in range(LOG_BYTES // len(line) + 2):
        log.write(line)
    log.write("the last")
    log.close()

    assert (tmp_path / "program.log").read_text().endswith("the last\n")
    assert (tmp_path / "program.log").stat().st_size < LOG_BYTES
    assert LOG_BYTES < (tmp_path / "program.log.1").stat().st_size < LOG_BYTES + 2 * len(line)
    assert len(log.tail) == TAIL_LINES


def test_the_same_request_told_twice_is_no_hurry() -> None:
    now_s = [100.0]
    stopping = Stopping(lambda _: None, clock=lambda: now_s[0])

    stopping.request(signal.SIGTERM)
    now_s[0] += SAME_REQUEST_S / 2
    stopping.request(signal.SIGTERM)

    assert stopping.stop.is_set()
    assert not stopping.hurry.is_set()


def test_a_second_request_hurries() -> None:
    now_s = [100.0]
    stopping = Stopping(lambda _: None, clock=lambda: now_s[0])

    stopping.request(signal.SIGINT)
    now_s[0] += SAME_REQUEST_S + 0.1
    stopping.request(signal.SIGINT)

    assert stopping.hurry.is_set()
