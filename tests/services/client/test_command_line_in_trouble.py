"""`claimcheck submit | jobs | result | cancel | erase` where something is wrong: exit statuses, and what is said."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from claimcheck.client import Client
from tests.services.client.command_line import LIMIT_S, CommandLine, InProcess
from tests.services.client.conftest import LIMIT_BYTES, Recording
from tests.services.client.scripted import nobody, refusal, scripted
from tests.stack.components import ROOT
from tests.stack.stores import Stores

# It asks for more patience than a command has.
WAY_TOO_BUSY = refusal(503, "Busy", "come back", {"Retry-After": "3600"})


def test_failed_job_is_1_and_says_why(typed: InProcess, upload: Path) -> None:
    done = typed.run("submit", upload, "--task", "probe", "--option", "do=refuse", "--wait")
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
    typed: InProcess, upload: Path, tmp_path: Path, arguments: list[str], says: str
) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "large").write_bytes(b"x" * (LIMIT_BYTES + 1))
    done = typed.run(*arguments)
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
        (["submit", "upload.txt", "--wait", "-o", "talk.pdf"], "the format 'pdf' is not known (txt, json, srt, vtt)"),
        (["submit", "upload.txt", "--idempotency-key", ""], "1 to 255 visible ASCII characters"),
        (["result", "../jobs"], "a UUID is expected"),
        (["result", "x", "-o", "."], ". is a directory"),
        (["jobs", "--status-url", "localhost"], "http://HOST:PORT or https://HOST is expected"),
    ],
)
def test_wrong_use_is_2_and_one_line(typed: InProcess, upload: Path, arguments: list[str], says: str) -> None:
    done = typed.run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr.splitlines()[-1]


def test_wrong_key_is_1_and_is_not_shown(typed: InProcess) -> None:
    done = typed.run("jobs", CLAIMCHECK_CLIENT__KEY="wrong-key")
    assert done.returncode == 1
    assert done.stderr.startswith("An API key is needed: ")
    assert "wrong-key" not in done.stderr


def test_busy_server_is_3_and_says_how_to_go_on(command_line: CommandLine, upload: Path) -> None:
    with scripted(WAY_TOO_BUSY) as server:
        done = command_line.run("submit", upload, "--process-url", server.url)
    key = server.asked[0].header("idempotency-key")
    problem, hint = done.stderr.splitlines()[-2:]
    assert (done.returncode, problem) == (3, "Busy: come back")
    command = f"claimcheck submit --idempotency-key {key} {upload} --process-url {server.url}"
    assert hint == f"to try again without making a second job: {command}"


def test_missing_server_is_3_and_told_of_while_it_is_tried(command_line: CommandLine, upload: Path) -> None:
    with nobody() as url:
        done = command_line.run("submit", upload, "--process-url", url)
    *tried, last = done.stderr.splitlines()
    missing = f"the process API at {url} gave no answer (ConnectError: [Errno 111] Connection refused)"
    assert (done.returncode, done.stdout) == (3, "")
    assert len(tried) >= 2
    assert all(line.startswith(f"{missing}; trying again in ") for line in tried)
    # No hint at a second job: nothing was sent that could have made a first one.
    assert last == missing


def test_missing_server_is_told_of_above_the_bar(command_line: CommandLine, upload: Path) -> None:
    answers = [refusal(503, "Busy", "come back", {"Retry-After": "0"}), WAY_TOO_BUSY]
    with scripted(*answers) as server:
        status, _, shown = command_line.run_on_terminal("submit", upload, "--process-url", server.url)
    assert status == 3
    lines = [line.rpartition("\x1b[2K")[2] for line in shown.split("\r\n")]
    assert any(line.startswith("Busy: come back; trying again in ") for line in lines)


def test_interrupt_while_waiting_is_130_and_leaves_the_job(
    command_line: CommandLine, api: Client, upload: Path
) -> None:
    with command_line.start("submit", upload, "--task", "probe", "--option", "seconds=60", "--wait") as command:
        lines = _read_until(command, " is running")
        job_id = lines[-1].split()[1]
        command.send_signal(signal.SIGINT)
        output, said = command.communicate(timeout=LIMIT_S)
    assert (command.returncode, output) == (130, "")
    assert f"interrupted; the job goes on: `claimcheck result {job_id}`" in said
    assert "Traceback" not in said
    assert api.job(job_id).status == "running"
    api.cancel(job_id)


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
    assert "interrupted; to try again without making a second job: claimcheck submit --idempotency-key " in said
    assert "Traceback" not in said
    assert len(stores.items("job")) == known


def test_interrupt_before_anything_was_sent_makes_no_fuss(command_line: CommandLine, upload: Path) -> None:
    with nobody() as url, command_line.start("submit", upload, "--process-url", url) as command:
        _read_until(command, "trying again in")
        command.send_signal(signal.SIGINT)
        output, said = command.communicate(timeout=LIMIT_S)
    assert (command.returncode, output) == (130, "")
    assert said.splitlines()[-1] == "interrupted"


def test_name_of_a_format_that_there_is_not_is_refused_for_a_known_job(
    typed: InProcess, recording: Recording, tmp_path: Path
) -> None:
    done = typed.run("result", recording.job_id, "-o", "talk.pdf")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("talk.pdf: the format 'pdf' is not known (json, txt, srt, vtt)")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("how", "status"), [(["--format", "docx"], 1), (["-o", "talk.srt"], 2)])
def test_result_that_cannot_be_had_so_names_the_job(
    typed: InProcess, api: Client, upload: Path, how: list[str], status: int
) -> None:
    done = typed.run("submit", upload, "--task", "probe", "--wait", *how)
    assert (done.returncode, done.stdout) == (status, "")
    *_, problem, hint = done.stderr.splitlines()
    assert how[1].removeprefix("talk.") in problem
    job_id = hint.split()[-4].rstrip("`")
    assert hint == f"the job is succeeded: `claimcheck result {job_id}` fetches its result"
    assert api.job(job_id).status == "succeeded"


@pytest.mark.parametrize(
    ("redirection", "arguments", "says"),
    [
        ("<&-", ["submit", "-"], "standard input is closed; there is nothing to read from it"),
        ("<&-", ["submit", "--text", "-"], "standard input is closed; there is nothing to read from it"),
        (">&-", ["submit", "upload.txt"], "standard output is closed; there is nowhere to print to"),
        (">&-", ["submit", "upload.txt", "--wait"], "standard output is closed; there is nowhere to print to"),
        (">&-", ["result", "x"], "standard output is closed; there is nowhere to print to"),
        (">&-", ["jobs"], "standard output is closed; there is nowhere to print to"),
    ],
)
def test_closed_stream_is_told_of_before_anything_is_sent(
    command_line: CommandLine, stores: Stores, upload: Path, redirection: str, arguments: list[str], says: str
) -> None:
    known = len(stores.items("job"))
    done = command_line.run_with(redirection, *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"{says}\n")
    assert len(stores.items("job")) == known


def test_nobody_need_listen(command_line: CommandLine, api: Client, upload: Path) -> None:
    done = command_line.run_with("2>&-", "submit", upload, "--task", "probe", "--option", "do=read", "--wait")
    assert (done.returncode, json.loads(done.stdout)["text"]) == (0, "content")


def test_id_that_cannot_be_printed_is_told_of(command_line: CommandLine, api: Client, upload: Path) -> None:
    done = command_line.run_with(">/dev/full", "submit", upload, "--task", "probe")
    *_, told, problem = done.stderr.splitlines()
    assert (done.returncode, problem) == (2, "No space left on device")
    assert api.job(told.removeprefix("the job is ")).task == "probe"


def test_reader_that_goes_away_ends_it_without_a_complaint(command_line: CommandLine, recording: Recording) -> None:
    with command_line.start("result", recording.job_id) as command:
        assert command.stdout is not None
        command.stdout.close()
        assert command.stderr is not None
        said = command.stderr.read()
        command.wait(timeout=LIMIT_S)
    assert (command.returncode, said) == (141, "")


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
