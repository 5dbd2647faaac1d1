"""Texts, chats and earlier jobs as input, and what there is to ask for: with both clients and the command line."""

from __future__ import annotations

import json
import os
import secrets
from typing import Any

import pytest

from claimcheck.client import Client, Conflict, FileRefused, KeyRefused, NotFound, Refused
from claimcheck.language import CHAT_TYPE
from tests.services.client.command_line import CommandLine, InProcess
from tests.services.client.conftest import MakeClient, Recording
from tests.services.client.scripted import Answer, refusal, scripted
from tests.stack.system import System
from tests.unit.claimcheck.client.test_answers import JOB

NOBODYS = "00000000-0000-4000-8000-000000000000"
READ = {"do": "read"}


def test_text_is_handed_in_and_worked_on(client: Any) -> None:
    job = client.submit_text("Grüße 🎙", task="probe", options=READ)
    assert (job.task, job.file.media_type, job.file.name) == ("probe", "text/plain", "")
    assert client.wait(job.id, timeout_s=60).result["text"] == "Grüße 🎙"


def test_text_is_completed_and_chat_answered_unless_told_otherwise(client: Any) -> None:
    assert client.submit_text("Hello?").task == "complete"
    chat = client.submit_chat([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello?"}])
    assert (chat.task, chat.file.media_type) == ("complete", CHAT_TYPE)


def test_same_key_is_the_same_job_for_texts_too(client: Any) -> None:
    key = secrets.token_hex(8)
    first = client.submit_text("a", task="probe", idempotency_key=key)
    assert client.submit_text("a", task="probe", idempotency_key=key).id == first.id
    assert client.submit_text("a", task="probe").id != first.id
    with pytest.raises(Conflict, match="idempotency key"):
        client.submit_text("b", task="probe", idempotency_key=key)


def test_transcript_is_handed_in_for_a_summary(client: Any, recording: Recording) -> None:
    job = client.submit_text_of(recording.job_id, options={"max_words": 30})
    assert (job.task, job.input_of, job.file.name) == ("summarize", recording.job_id, "fmt_jfk.txt")
    assert job.file.size_bytes == len(client.result(recording.job_id, "txt").encode())


def test_job_without_a_text_is_no_input(client: Any) -> None:
    cancelled = client.submit(b"x", task="probe", options={"seconds": 30})
    with pytest.raises(Conflict, match=r"is (queued|running); its result can be an input once it has succeeded"):
        client.submit_text_of(cancelled.id)
    client.cancel(cancelled.id)
    with pytest.raises(Conflict, match="is cancelled"):
        client.submit_text_of(cancelled.id)
    read = client.wait(client.submit(b"x", task="probe").id)
    with pytest.raises(Refused, match="whose result is no text"):
        client.submit_text_of(read.id)
    for nobodys in (NOBODYS, "../jobs", ""):
        with pytest.raises(NotFound):
            client.submit_text_of(nobodys)


@pytest.mark.parametrize(
    ("given", "kind", "says"),
    [
        ({"text": ""}, Refused, "input.text has 0 characters"),
        ({"text": "x" * 2**20}, FileRefused, "send what is larger as a file"),
        ({"text": "x", "task": "transcribe"}, Refused, "the input is of the kind 'text'; transcribe takes file"),
        ({"text": "x", "options": {"model": "gpt 4o"}}, Refused, "model: "),
    ],
    ids=["empty", "too long", "not taken", "options"],
)
def test_refusal_of_a_text_says_what_is_wrong(
    client: Any, given: dict[str, Any], kind: type[Refused], says: str
) -> None:
    with pytest.raises(kind, match=says):
        client.submit_text(**given)


def test_refusal_of_a_chat_names_the_message(client: Any) -> None:
    with pytest.raises(Refused, match=r"input\.messages\.1\.role"):
        client.submit_chat([{"role": "user", "content": "a"}, {"role": "tool", "content": "b"}])


def test_text_is_sent_again_after_a_503(make_client: MakeClient) -> None:
    with scripted(refusal(503, "Busy", "come back"), Answer(202, JOB)) as server:
        assert make_client(server.url, server.url).submit_text("a", task="probe").id == JOB["id"]
    first, second = server.asked
    assert first.body == second.body
    assert first.header("idempotency-key")
    assert first.header("idempotency-key") == second.header("idempotency-key")


def test_models_and_tasks_are_listed(client: Any) -> None:
    found = client.models()
    assert [model.id for model in found.data] == ["tiny.en", "base"]
    assert {task.name: task.models for task in found.tasks if task.name in ("describe", "probe", "transcribe")} == {
        "describe": [],
        "probe": None,
        "transcribe": ["tiny.en", "base"],
    }


def test_models_need_a_key(make_client: MakeClient, running: System) -> None:
    with pytest.raises(KeyRefused):
        make_client(running.process_url, running.status_url).models()


def test_text_of_the_command_line(typed: InProcess) -> None:
    done = typed.run("submit", "--task", "probe", "--text", "from the line", "--option", "do=read", "--wait")
    assert (done.returncode, json.loads(done.stdout)["text"]) == (0, "from the line")
    assert done.stderr.splitlines()[-1].endswith(" is succeeded")


def test_text_of_standard_input(command_line: CommandLine, api: Client) -> None:
    done = command_line.run("submit", "--text", "-", "--task", "probe", stdin="Grüße".encode())
    assert (done.returncode, done.stderr) == (0, "")
    assert api.job(done.stdout.strip()).file.size_bytes == len("Grüße".encode())


def test_text_is_completed_and_an_earlier_jobs_summarized_by_default(
    typed: InProcess, api: Client, recording: Recording
) -> None:
    completed, summarized = typed.run("submit", "--text", "Hello?"), typed.run("submit", "--of", recording.job_id)
    assert api.job(completed.stdout.strip()).task == "complete"
    made = api.job(summarized.stdout.strip())
    assert (made.task, made.input_of) == ("summarize", recording.job_id)


def test_same_key_of_the_command_line_is_the_same_job(typed: InProcess) -> None:
    submit = ("submit", "--text", "a", "--task", "probe", "--idempotency-key", f"text-{os.getpid()}")
    assert typed.run(*submit).stdout == typed.run(*submit).stdout != ""


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["--text", "", "--task", "probe"], 1, "The file is empty: input.text has 0 characters"),
        (["--text", "a", "--task", "transcribe"], 1, "The task does not take this input: "),
        (["--text", "a", "--option", "json_schema=[]"], 1, "The options are invalid: json_schema: "),
        (["--of", NOBODYS], 1, "There is no such job: "),
        (["--text", "a", "--options", "[1]"], 2, "--options is '[1]'; a JSON object is expected"),
        (["--text", "a", "-o", "x.txt"], 2, "-o and --format say what to do with the result; they need --wait"),
    ],
)
def test_refusal_of_an_input_is_one_line(typed: InProcess, arguments: list[str], status: int, says: str) -> None:
    done = typed.run("submit", *arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith(says)
    assert len(done.stderr.splitlines()) == 1


def test_standard_input_that_is_no_text_is_told_of(command_line: CommandLine) -> None:
    done = command_line.run("submit", "--text", "-", stdin=b"Gr\xfc\xdfe")
    assert (done.returncode, done.stderr) == (2, "standard input is no UTF-8: invalid start byte at byte 2\n")


def test_whoever_gets_no_answer_to_a_text_is_told_how_to_try_again(typed: InProcess) -> None:
    with scripted(refusal(503, "Busy", "come back", {"Retry-After": "3600"})) as server:
        done = typed.run("submit", "--text", "a b", CLAIMCHECK_CLIENT__PROCESS_URL=server.url)
    assert done.returncode == 3
    assert "to try again without making a second job: claimcheck submit --idempotency-key " in done.stderr


def test_models_of_the_command_line(typed: InProcess) -> None:
    done = typed.run("models")
    assert done.returncode == 0
    assert done.stdout.splitlines() == ["tiny.en\ttranscribe\tspeech\t-\t-", "base\ttranscribe\tspeech\t-\t-"]
    assert done.stderr == "no model is configured for complete, describe, summarize\n"
    listed = [json.loads(line) for line in typed.run("models", "--json").stdout.splitlines()]
    assert [model["id"] for model in listed] == ["tiny.en", "base"]
