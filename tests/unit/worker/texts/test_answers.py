"""What a result says of the answer that it is made of."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from claimcheck.language import Asked, Call
from services.worker.engines.language import Reply
from services.worker.texts import answers


def reply(text: str, *, reason: str = "stop", data: Any = None) -> Reply:
    """A reply with this answer."""
    call = Call(
        text=text, endpoint="a", model="m", finish_reason=reason, input_tokens=1, output_tokens=7, latency_s=0.1
    )
    asked = Asked(
        id="asked:1",
        tenant="default",
        job_id="1",
        job_created_at=datetime(2026, 1, 1, tzinfo=UTC),
        stage="language",
        name="text",
        calls=(call,),
        ttl=60,
    )
    return Reply(call=call, data=data, asked=asked)


@pytest.mark.parametrize(
    ("text", "reason", "slugs"),
    [
        ("Paris.", "stop", []),
        ("Par", "length", ["answer-truncated"]),
        ("", "stop", ["answer-empty"]),
        (" \n\t ", "stop", ["answer-empty"]),
        # It has thought for as long as it might answer.
        ("", "length", ["answer-truncated", "answer-empty"]),
    ],
)
def test_remarks(text: str, reason: str, slugs: list[str]) -> None:
    given = reply(text, reason=reason)
    assert [remark.slug for remark in answers.remarks(given, answers.text_of(given))] == slugs


def test_json_is_never_an_empty_answer() -> None:
    given = reply("", data={})
    assert answers.text_of(given) == "{}"
    assert answers.remarks(given, answers.text_of(given)) == []
