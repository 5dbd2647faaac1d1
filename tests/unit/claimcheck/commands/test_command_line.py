"""Options as they are typed, formats as they are guessed, names as they are shown."""

from __future__ import annotations

import contextlib
import io
import os
import pty
from typing import Any

import pytest
from rich.console import Console

from claimcheck.client import answers
from claimcheck.commands.__main__ import main
from claimcheck.commands.calling import printable
from claimcheck.commands.jobs import row, table
from claimcheck.commands.options import read_options, value
from claimcheck.commands.progress import upload_progress
from claimcheck.commands.result import default_format, warnings
from claimcheck.commands.submit import again
from tests.unit.claimcheck.client.test_answers import JOB, reply


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("en", "en"),
        ("5", 5),
        ("0.2", 0.2),
        ("true", True),
        ("null", None),
        ('"5"', "5"),
        ('["a", 1]', ["a", 1]),
        ('{"a": {}}', {"a": {}}),
        ("", ""),
        ("True", "True"),
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("[1,", "[1,"),
        ("a=b", "a=b"),
    ],
)
def test_value_of_an_option_is_json_if_it_can_be_read_so(text: str, expected: Any) -> None:
    assert value(text) == expected
    assert type(value(text)) is type(expected)


def test_single_options_go_over_the_document() -> None:
    found = read_options('{"language": "de", "beam": 1}', ["beam=5", "beam=6", "prompt=a=b"])
    assert found == {"language": "de", "beam": 6, "prompt": "a=b"}


@pytest.mark.parametrize(
    ("document", "pairs", "says"),
    [
        (None, ["beam"], "--option is 'beam'; KEY=VALUE is expected"),
        (None, ["=5"], "KEY=VALUE is expected"),
        ("{", [], "which is no JSON"),
        ("[1]", [], "a JSON object is expected"),
        ('{"a": NaN}', [], "which is no JSON"),
        ("", [], "which is no JSON"),
    ],
)
def test_what_is_no_option_is_refused(document: str | None, pairs: list[str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_options(document, pairs)


@pytest.mark.parametrize(
    ("formats", "output", "expected"),
    [
        (["json", "txt", "srt"], None, "txt"),
        (["json"], None, "json"),
        ([], None, "json"),
        (["json", "txt", "srt"], "talk.SRT", "srt"),
        (["json", "txt", "srt"], "srt", "txt"),
        (["json", "txt", "srt"], "-", "txt"),
        (["json", "txt", "srt"], "/dev/stdout", "txt"),
        (["json"], "out", "json"),
        (["json", "csv"], "talk.csv", "csv"),
    ],
)
def test_format_is_guessed_from_what_the_task_has(formats: list[str], output: str | None, expected: str) -> None:
    assert default_format(formats, output) == expected


@pytest.mark.parametrize(
    ("formats", "output", "says"),
    [
        (
            ["json", "txt", "srt"],
            "talk.docx",
            r"talk\.docx: the format 'docx' is not known \(json, txt, srt\); --format",
        ),
        (["json"], "talk.srt", "the format 'srt' is not known"),
    ],
)
def test_name_that_asks_for_another_format_is_refused(formats: list[str], output: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        default_format(formats, output)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({}, []),
        ({"warnings": []}, []),
        ({"warnings": None}, []),
        ({"warnings": 3}, []),
        ({"warnings": [{"slug": "no-speech", "detail": "no speech was found"}]}, ["no speech was found"]),
        ({"warnings": ["plain", {"other": 1}]}, ["plain", "{'other': 1}"]),
    ],
)
def test_warnings_of_a_result_are_read_as_far_as_they_are_any(found: dict[str, Any], expected: list[str]) -> None:
    assert warnings(found) == expected


@pytest.mark.parametrize(
    ("arguments", "given_key", "expected"),
    [
        (["a b.mp3", "--wait"], None, "claimcheck submit --idempotency-key K 'a b.mp3' --wait"),
        (["--", "-f.mp3"], None, "claimcheck submit --idempotency-key K -- -f.mp3"),
        (["f", "--idempotency-key", "K"], "K", "claimcheck submit f --idempotency-key K"),
    ],
)
def test_command_line_that_makes_no_second_job(arguments: list[str], given_key: str | None, expected: str) -> None:
    assert again(arguments, "K", given_key) == expected


def test_name_of_a_file_cannot_command_the_terminal() -> None:
    hostile = "a\x1b[2Jb\r\n\t\u202egpj.exe\x9b31m"
    assert printable(hostile).isprintable()
    job = answers.job(reply(202, {**JOB, "file": {**JOB["file"], "name": hostile}}))
    assert all(cell.isprintable() for cell in row(job))


@pytest.mark.parametrize("width", [40, 80, 200])
def test_id_in_the_table_is_whole_on_any_terminal(width: int) -> None:
    job = answers.job(reply(202, {**JOB, "file": {**JOB["file"], "name": "a long name of a file " * 5 + ".mp3"}}))
    console = Console(width=width, file=io.StringIO(), force_terminal=True)
    with console.capture() as shown:
        console.print(table([job]))
    lines = shown.get().splitlines()
    assert len(lines) == 2
    assert JOB["id"] in lines[1]


def test_bar_knows_the_size_before_the_first_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    terminal, end = pty.openpty()
    with os.fdopen(terminal, "rb", buffering=0) as shown, os.fdopen(end, "w") as stderr:
        with contextlib.redirect_stderr(stderr), upload_progress("talk.mp3", 7):
            pass
        assert b"0/7 bytes" in shown.read(4096)


@pytest.mark.parametrize(
    "arguments",
    [
        *([], ["submit"], ["jobs", "--limit", "0"], ["jobs", "--limit", "x"], ["result"]),
        *(["submit", "a", "--text", "b"], ["submit", "--text", "b", "--of", "c"], ["submit", "--task", "probe"]),
    ],
)
def test_wrong_command_line_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: claimcheck" in capsys.readouterr().err
