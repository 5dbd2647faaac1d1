"""`claimcheck submit | jobs | result | cancel | erase` as a person and a script use them."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from claimcheck.client import Client
from tests.services.client.command_line import CommandLine, InProcess
from tests.services.client.conftest import Recording


def test_submit_prints_the_id_and_nothing_else(command_line: CommandLine, api: Client, upload: Path) -> None:
    done = command_line.run("submit", upload, "--task", "probe", "--option", "do=read", "--options", '{"seconds": 0.1}')
    assert (done.returncode, done.stderr) == (0, "uploading upload.txt (7 bytes)\n")
    job = api.job(done.stdout.removesuffix("\n"))
    assert (job.task, job.options["do"], job.options["seconds"]) == ("probe", "read", 0.1)
    assert api.wait(job.id).status == "succeeded"


def test_submit_that_waits_prints_the_result(command_line: CommandLine, recording: Recording) -> None:
    done = command_line.run("submit", recording.path, "--wait")
    assert done.returncode == 0, done.stderr
    assert "ask not what your country can do for you" in done.stdout.lower()
    lines = done.stderr.splitlines()
    assert lines[0].startswith("uploading fmt_jfk.wav (")
    assert lines[-1].startswith("job ")
    assert lines[-1].endswith(" is succeeded")


@pytest.mark.parametrize(
    ("form", "begins"), [("txt", "And so"), ("json", "{\n"), ("srt", "1\n00:00:0"), ("vtt", "WEBVTT")]
)
def test_result_is_printed_in_each_format(typed: InProcess, recording: Recording, form: str, begins: str) -> None:
    done = typed.run("result", recording.job_id, "--format", form)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.lstrip().startswith(begins)
    assert done.stdout.endswith("\n")


def test_name_of_the_output_says_the_format(command_line: CommandLine, recording: Recording, tmp_path: Path) -> None:
    done = command_line.run("result", recording.job_id, "-o", "talk.vtt")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "wrote talk.vtt (vtt)\n")
    assert (tmp_path / "talk.vtt").read_text().startswith("WEBVTT")


def test_standard_input_is_a_file_too(command_line: CommandLine, api: Client) -> None:
    done = command_line.run("submit", "-", "--task", "probe", "--option", "do=read", "--wait", stdin=b"from a pipe")
    assert json.loads(done.stdout)["text"] == "from a pipe"
    assert done.returncode == 0


def test_same_idempotency_key_prints_the_same_id(typed: InProcess, upload: Path) -> None:
    submit = ("submit", upload, "--task", "probe", "--idempotency-key", f"key-{os.getpid()}")
    first, second = typed.run(*submit), typed.run(*submit)
    assert first.stdout == second.stdout != ""


def test_jobs_are_lines_with_tabs_for_programs(typed: InProcess, recording: Recording) -> None:
    done = typed.run("jobs", "--task", "transcribe", "--status", "succeeded")
    rows = {line.split("\t")[0]: line.split("\t") for line in done.stdout.splitlines()}
    assert done.returncode == 0
    _, status, task, _, name = rows[recording.job_id]
    assert (status, task, name) == ("succeeded", "transcribe", "fmt_jfk.wav")


def test_jobs_are_json_on_demand(typed: InProcess, recording: Recording) -> None:
    done = typed.run("jobs", "--json", "--limit", "1", "--task", "transcribe")
    (job,) = map(json.loads, done.stdout.splitlines())
    assert job["task"] == "transcribe"


def test_cancel_and_erase(typed: InProcess, upload: Path) -> None:
    job_id = typed.run("submit", upload, "--task", "probe", "--option", "seconds=30").stdout.strip()
    cancelled = typed.run("cancel", job_id)
    assert (cancelled.returncode, cancelled.stdout, cancelled.stderr) == (0, "", f"job {job_id} is cancelled\n")
    assert typed.run("result", job_id).returncode == 1
    assert typed.run("erase", job_id).returncode == 0
    gone = typed.run("cancel", job_id)
    assert gone.returncode == 1
    assert gone.stderr.startswith("There is no such job: ")


def test_warnings_of_a_result_are_told(typed: InProcess, upload: Path) -> None:
    fan = ("--task", "fan", "--options", '{"parts": 2, "refuse": [1]}')
    waited = typed.run("submit", upload, *fan, "--wait")
    assert waited.returncode == 0
    *_, ended, warning = waited.stderr.splitlines()
    assert ended.endswith(" is succeeded, with warnings: 1")
    assert warning == "warning: the part was told to refuse"
    job_id = ended.split()[1]
    fetched = typed.run("result", job_id)
    assert (fetched.returncode, fetched.stderr) == (0, f"{warning}\n")
    assert fetched.stdout == waited.stdout
    saved = typed.run("result", job_id, "-o", "parts.json")
    assert saved.stderr == f"wrote parts.json (json)\n{warning}\n"


def test_standard_output_is_an_output_too(command_line: CommandLine, recording: Recording) -> None:
    printed = command_line.run("result", recording.job_id, "-o", "-")
    assert (printed.returncode, printed.stderr) == (0, "")
    device = command_line.run("result", recording.job_id, "-o", "/dev/stdout")
    assert (device.returncode, device.stdout.strip()) == (0, printed.stdout.strip())


def test_terminal_gets_bars_and_standard_output_the_result(command_line: CommandLine, upload: Path) -> None:
    submit = ("submit", upload, "--task", "probe", "--option", "do=read", "--wait")
    status, output, shown = command_line.run_on_terminal(*submit)
    assert status == 0
    assert json.loads(output)["text"] == "content"
    assert "uploading upload.txt" in shown
    assert "7/7 bytes" in shown
    assert "is succeeded" in shown
    assert "100%" in shown
    assert "\x1b[?25h" in shown  # the cursor is back


def test_terminal_shows_that_the_job_runs(command_line: CommandLine, api: Client, upload: Path) -> None:
    def cancel_once_it_runs(shown: str) -> None:
        if running := re.search(r"job ([0-9a-f-]{36}) is running", shown):
            api.cancel(running.group(1))

    submit = ("submit", upload, "--task", "probe", "--option", "seconds=60", "--wait")
    status, output, shown = command_line.run_on_terminal(*submit, look=cancel_once_it_runs)
    assert (status, output) == (1, "")
    assert "is cancelled" in shown


def test_output_is_utf_8_whatever_the_locale(command_line: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "name").write_text("Grüße „1“")
    submit = ("submit", "name", "--task", "probe", "--option", "do=read", "--wait")
    done = command_line.run(*submit, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", PYTHONIOENCODING="ascii")
    assert json.loads(done.stdout)["text"] == "Grüße „1“"
