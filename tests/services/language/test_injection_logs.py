"""Prompts, contents, answers and keys are in no log, at DEBUG and after errors too.

The setting that lets them in is in `engine/test_engine_answers.py`.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from claimcheck.language import CHAT_TYPE
from tests.services.language.conftest import KEY, Workplace, chat_bytes, failed, succeeded

SCHEMA = {"type": "object", "properties": {"secret": {"type": "string"}}, "required": ["secret"]}
MANY = 300


@pytest.fixture
def secret(workplace: Workplace) -> Iterator[str]:
    """A word that is in no log, before and after."""
    word = f"secret{secrets.token_hex(8)}"
    yield word
    logs = workplace.logs()
    assert word not in logs
    assert KEY not in logs
    # It is looked for where something is said.
    assert " job.taken " in logs


def test_what_is_asked_and_answered_is_not_logged(workplace: Workplace, secret: str, picture: bytes) -> None:
    workplace.endpoint.script(
        {"match": {"text": "description"}, "answer": {"description": secret, "tags": [secret]}}, {"answer": secret}
    )
    chat = [{"role": "system", "content": secret}, {"role": "user", "content": secret}]
    for job in (
        workplace.ask("complete", {"text": secret}),
        workplace.ask("complete", {"messages": chat}),
        workplace.ask("summarize", {"text": secret}),
        workplace.ask("summarize", {"text": f"{secret} " * MANY}),
        workplace.hand_in("describe", picture, "image/jpeg"),
    ):
        assert secret in succeeded(job)["text"]


@pytest.mark.parametrize(
    "rule",
    [
        {"action": "fail", "status": 500, "times": 1},
        {"action": "fail", "status": 429, "retry_after_s": 1, "times": 1},
        {"action": "body", "times": 1},
        {"action": "truncate", "times": 1},
        {"action": "close", "times": 1},
    ],
    ids=lambda rule: f"{rule['action']}-{rule.get('status', '')}",
)
def test_what_a_failing_service_says_is_not_logged(workplace: Workplace, secret: str, rule: dict[str, Any]) -> None:
    words = {"body": f"{secret} is no JSON"} if rule["action"] == "body" else {"message": f"about {secret}"}
    workplace.endpoint.script({**rule, **words}, {"answer": secret})
    assert succeeded(workplace.ask("complete", {"text": secret}))["text"] == secret


@pytest.mark.parametrize(
    ("rule", "slug"),
    [
        ({"action": "filter-prompt"}, "content-refused"),
        ({"action": "filter-answer"}, "content-refused"),
        ({"action": "too-long"}, "context-too-long"),
        ({"action": "fail", "status": 400}, "model-request-refused"),
        ({"action": "answer"}, "answer-invalid"),
    ],
    ids=lambda given: given if isinstance(given, str) else given["action"],
)
def test_what_fails_a_job_is_logged_without_its_words(
    workplace: Workplace, secret: str, rule: dict[str, Any], slug: str
) -> None:
    words = {"answer": secret} if rule["action"] == "answer" else {"message": f"about {secret}"}
    workplace.endpoint.script({**rule, **words})
    job = workplace.ask("complete", {"text": secret}, json_schema=SCHEMA)
    assert secret not in failed(job, slug)


def test_what_cannot_be_read_is_logged_without_its_words(workplace: Workplace, secret: str) -> None:
    word = secret.encode()
    for task, content, media_type in (
        ("complete", word + b"\xff", "text/plain"),
        ("complete", chat_bytes({"role": secret, "content": secret}), CHAT_TYPE),
        ("complete", b'{"messages": ' + word, CHAT_TYPE),
        ("summarize", word + b"\xff", "text/plain"),
    ):
        assert secret not in failed(workplace.hand_in(task, content, media_type), "text-unreadable")
