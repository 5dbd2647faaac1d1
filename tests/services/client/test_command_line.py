"""`claimcheck submit | jobs | result | cancel | erase` as a person and a script use them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from claimcheck.client import Client
from claimcheck.commands.up.addresses import HOST
from tests.services.client.command_line import LIMIT_S, CommandLine
from tests.services.client.conftest import KEY, LIMIT_BYTES, Recording
from tests.services.client.scripted import Answer, scripted
from tests.stack.components import ROOT
from tests.stack.ports import free_port
from tests.stack.stores import Stores
from tests.stack.system import System


@pytest.fixture
def upload(tmp_path: Path) -> Path:
    """A small file."""
    path = tmp_path / "upload.txt"
    path.write_text("content")
    return path


@pytest.fixture
def client(running: System) -> Iterator[Client]:
    """To look behind the command line's back."""
    with Client(running.process_url, running.status_url, key=KEY) as client:
        yield client


def test_submit_prints_the_id_and_nothing_else(command_line: CommandLine, client: Client, upload: Path) -> None:
    done = command_line.run("submit", upload, "--task", "probe", "--option", "do=read", "--options", '{"seconds": 0.1}')
    assert (done.returncode, done.stderr) == (0, "uploading upload.txt (7 bytes)\n")
    job = client.job(done.stdout.removesuffix("\n"))
    assert (job.task, job.options["do"], job.options["seconds"]) == ("probe", "read", 0.1)
    assert client.wait(job.id).status == "succeeded"


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
def test_result_is_printed_in_each_format(
    command_line: CommandLine, recording: Recording, form: str, begins: str
) -> None:
    done = command_line.run("result", recording.job_id, "--format", form)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.lstrip().startswith(begins)
    assert done.stdout.endswith("\n")


def test_name_of_the_output_says_the_format(command_line: CommandLine, recording: Recording, tmp_path: Path) -> None:
    done = command_line.run("result", recording.job_id, "-o", "talk.vtt")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "talk.vtt").read_text().startswith("WEBVTT")


def test_standard_input_is_a_file_too(command_line: CommandLine, client: Client) -> None:
    done = command_line.run("submit", "-", "--task", "probe", "--option", "do=read", "--wait", stdin=b"from a pipe")
    assert json.loads(done.stdout)["text"] == "from a pipe"
    assert done.returncode == 0


def test_same_idempotency_key_prints_the_same_id(command_line: CommandLine, upload: Path) -> None:
    submit = ("submit", upload, "--task", "probe", "--idempotency-key", f"key-{os.getpid()}")
    first, second = command_line.run(*submit), command_line.run(*submit)
    assert first.stdout == second.stdout != ""


def test_jobs_are_lines_with_tabs_for_programs(command_line: CommandLine, recording: Recording) -> None:
    done = command_line.run("jobs", "--task", "transcribe", "--status", "succeeded")
    rows = {line.split("\t")[0]: line.split("\t") for line in done.stdout.splitlines()}
    assert done.returncode == 0
    _, status, task, _, name = rows[recording.job_id]
    assert (status, task, name) == ("succeeded", "transcribe", "fmt_jfk.wav")


def test_jobs_are_json_on_demand(command_line: CommandLine, recording: Recording) -> None:
    done = command_line.run("jobs", "--json", "--limit", "1", "--task", "transcribe")
    (job,) = map(json.loads, done.stdout.splitlines())
    assert job["task"] == "transcribe"


def test_cancel_and_erase(command_line: CommandLine, upload: Path) -> None:
    job_id = command_line.run("submit", upload, "--task", "probe", "--option", "seconds=30").stdout.strip()
    cancelled = command_line.run("cancel", job_id)
    assert (cancelled.returncode, cancelled.stdout, cancelled.stderr) == (0, "", f"job {job_id} is cancelled\n")
    assert command_line.run("result", job_id).returncode == 1
    assert command_line.run("erase", job_id).returncode == 0
    gone = command_line.run("cancel", job_id)
    assert gone.returncode == 1
    assert gone.stderr.startswith("There is no such job: ")


def test_failed_job_is_1_and_says_why(command_line: CommandLine, upload: Path) -> None:
    done = command_line.run("submit", upload, "--task", "probe", "--option", "do=refuse", "--wait")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1] == "The recording cannot be decoded: the probe was told to refuse"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["submit", "upload.txt", "--task", "paint"], "The task is unknown: "),
        (["submit", "upload.txt", "--task", "probe", "--option", "tempo=1"], "The options are invalid: tempo: "),
        (["submit", "empty", "--task", "probe"], "The file is empty: "),
        (["submit", "large", "--task", "probe"], "The file is too large: "),
        (["result", "00000000-0000-4000-8000-000000000000"], "There is no such job: "),
        (["jobs", "--status", "asleep"], "The request is malformed: status is 'asleep'"),
    ],
)
def test_refusal_is_1_and_one_line(
    command_line: CommandLine, upload: Path, tmp_path: Path, arguments: list[str], says: str
) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "large").write_bytes(b"x" * (LIMIT_BYTES + 1))
    done = command_line.run(*arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith(says)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["submit", "nowhere"], "nowhere: No such file or directory"),
        (["submit", "."], ".: Is a directory"),
        (["submit", "upload.txt", "--option", "fast"], "--option is 'fast'; KEY=VALUE is expected"),
        (["submit", "upload.txt", "--options", "[1]"], "a JSON object is expected"),
        (["submit", "upload.txt", "-o", "out"], "they need --wait"),
        (["submit", "upload.txt", "--wait", "-o", "no/out"], "a directory that does not exist"),
        (["submit", "upload.txt", "--idempotency-key", ""], "1 to 255 visible ASCII characters"),
        (["result", "../jobs"], "a UUID is expected"),
        (["result", "x", "-o", "."], ". is a directory"),
        (["jobs", "--status-url", "localhost"], "http://HOST:PORT or https://HOST is expected"),
    ],
)
def test_wrong_use_is_2_and_one_line(command_line: CommandLine, upload: Path, arguments: list[str], says: str) -> None:
    done = command_line.run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr.splitlines()[-1]


def test_wrong_key_is_1_and_is_not_shown(command_line: CommandLine) -> None:
    done = command_line.run("jobs", CLAIMCHECK_CLIENT__KEY="wrong-key")
    assert done.returncode == 1
    assert done.stderr.startswith("An API key is needed: ")
    assert "wrong-key" not in done.stderr


def test_busy_server_is_3_and_says_how_to_go_on(command_line: CommandLine, upload: Path) -> None:
    # It asks for more patience than a command has.
    busy = Answer(503, {"title": "Busy", "detail": "come back"}, {"Retry-After": "3600"})
    with scripted(busy) as server:
        done = command_line.run("submit", upload, "--process-url", server.url)
    key = server.asked[0].header("idempotency-key")
    hint, problem = done.stderr.splitlines()[-2:]
    assert (done.returncode, problem) == (3, "Busy: come back")
    assert f"--idempotency-key {key} it is the same job" in hint


def test_missing_server_is_3(command_line: CommandLine) -> None:
    url = f"http://{HOST}:{free_port()}"
    with command_line.start("jobs", "--status-url", url) as command:
        _, said = command.communicate(timeout=LIMIT_S)
    assert command.returncode == 3
    assert f"the status API at {url} gave no answer" in said


def test_interrupt_while_waiting_is_130_and_leaves_the_job(
    command_line: CommandLine, client: Client, upload: Path
) -> None:
    with command_line.start("submit", upload, "--task", "probe", "--option", "seconds=20", "--wait") as command:
        lines = _read_until(command, " is running")
        job_id = lines[-1].split()[1]
        command.send_signal(signal.SIGINT)
        output, said = command.communicate(timeout=LIMIT_S)
    assert (command.returncode, output) == (130, "")
    assert f"`claimcheck result {job_id}`" in said
    assert "Traceback" not in said
    assert client.job(job_id).status == "running"
    client.cancel(job_id)


def test_interrupt_while_uploading_is_130_and_leaves_no_job(command_line: CommandLine, stores: Stores) -> None:
    known = len(stores.items("job"))
    with command_line.start("submit", "-", "--task", "probe") as command:
        assert command.stdin is not None
        _read_until(command, "uploading standard input")
        command.stdin.write("the begin")
        command.stdin.flush()
        command.send_signal(signal.SIGINT)
        output, said = command.communicate(timeout=LIMIT_S)
    assert (command.returncode, output) == (130, "")
    assert "--idempotency-key" in said
    assert "Traceback" not in said
    assert len(stores.items("job")) == known


def test_reader_that_goes_away_ends_it_without_a_complaint(command_line: CommandLine, recording: Recording) -> None:
    with command_line.start("result", recording.job_id) as command:
        assert command.stdout is not None
        command.stdout.close()
        assert command.stderr is not None
        said = command.stderr.read()
        command.wait(timeout=LIMIT_S)
    assert (command.returncode, said) == (141, "")


def test_terminal_gets_bars_and_standard_output_the_result(command_line: CommandLine, upload: Path) -> None:
    submit = ("submit", upload, "--task", "probe", "--option", "seconds=1", "--option", "do=read", "--wait")
    status, output, shown = command_line.run_on_terminal(*submit)
    assert status == 0
    assert json.loads(output)["text"] == "content"
    assert "uploading upload.txt" in shown
    assert "7/7 bytes" in shown
    assert "is running" in shown
    assert "is succeeded" in shown
    assert "100%" in shown
    assert "\x1b[?25h" in shown  # the cursor is back


def test_output_is_utf_8_whatever_the_locale(command_line: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "name").write_text("Grüße „1“")
    submit = ("submit", "name", "--task", "probe", "--option", "do=read", "--wait")
    done = command_line.run(*submit, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", PYTHONIOENCODING="ascii")
    assert json.loads(done.stdout)["text"] == "Grüße „1“"


@pytest.mark.parametrize("package", ["httpx", "rich"])
def test_missing_package_says_what_to_install(package: str) -> None:
    script = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "from claimcheck.commands.__main__ import main\nsys.exit(main(['jobs']))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"{package} is not installed; pip install 'claimcheck[client]'\n"


def _read_until(command: subprocess.Popen[str], what: str) -> list[str]:
    """The lines on standard error up to one that has `what` in it."""
    assert command.stderr is not None
    lines: list[str] = []
    with contextlib.suppress(StopIteration):
        while not lines or what not in lines[-1]:
            lines.append(next(command.stderr))
    assert what in "".join(lines[-1:]), lines
    return lines
