"""What a client sends is in no line of a log: not its file, its name, its options, its text, or its result."""

from __future__ import annotations

import secrets

import httpx
import pytest

from tests.stack.client import Client
from tests.stack.system import System


def said(running: System) -> str:
    """What all programs have said so far."""
    return "".join(program.output() for program in running.programs.values())


@pytest.mark.parametrize("do", ["read", "refuse", "fail-once"])
def test_nothing_that_a_client_sent_is_logged(running: System, client: Client, do: str) -> None:
    secret = f"secret{secrets.token_hex(8)}"
    job_id = client.submit(
        f"content {secret}".encode(),
        options={"do": do},
        name=f"{secret}.txt",
        headers={"Idempotency-Key": f"key-{secret}"},
    )
    ended = client.until_ended(job_id, deadline_s=30)
    assert (secret in str(ended.get("result"))) == (do == "read")
    assert job_id in said(running), "the job itself is told of"
    assert secret not in said(running)


def test_nothing_of_a_refused_submission_is_logged(running: System, client: Client) -> None:
    secret = f"secret{secrets.token_hex(8)}"
    for refused in (
        client.post(task=secret),
        client.post(options={secret: secret}),
        client.post(options={"do": secret}),
        client.post(secret.encode(), task="transcribe", name=f"{secret}.mp3"),
    ):
        assert refused.status_code in (httpx.codes.BAD_REQUEST, httpx.codes.UNSUPPORTED_MEDIA_TYPE)
    assert client.get(secret).status_code == httpx.codes.NOT_FOUND
    assert secret not in said(running)
