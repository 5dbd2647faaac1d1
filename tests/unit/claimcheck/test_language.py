"""claimcheck/language.py: options, chats, and what models' answers cost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from claimcheck.language import (
    Asked,
    Call,
    Chat,
    CompleteOptions,
    DescribeOptions,
    SummarizeOptions,
    as_text,
    usage_of,
)
from tests.unit.claimcheck.samples import JOB_ID, NOW, job

# Tags of BCP 47 all the same, but with parts that the prompts do not name.
UNSAYABLE = ("zh-yue", "sl-rozaj", "de-1996", "en-x-obey", "de-DE-x-a", "pt-BR-", "de-DE-Latn")


def call(endpoint: str = "a", **other: Any) -> Call:
    """An answer."""
    fields: dict[str, Any] = {
        **{"text": "hello", "endpoint": endpoint, "model": "m-1", "finish_reason": "stop"},
        **{"input_tokens": 10, "output_tokens": 5, "latency_s": 0.5, "cost": 0.01},
        **other,
    }
    return Call(**fields)


def asked(*calls: Call, begun: int | None = None) -> Asked:
    """A question with these answers."""
    return Asked(
        id=Asked.id_of(job(), "language", None, "answer"),
        tenant="default",
        job_id=JOB_ID,
        job_created_at=NOW,
        stage="language",
        name="answer",
        begun=len(calls) if begun is None else begun,
        calls=calls,
        ttl=60,
    )


@pytest.mark.parametrize("options", [CompleteOptions, DescribeOptions, SummarizeOptions])
@pytest.mark.parametrize("model", ["gpt-4o", "a", "org/model:tag", "Qwen2.5-VL_7B"])
def test_model_may_be_called_what_services_call_theirs(options: type[BaseModel], model: str) -> None:
    assert options.model_validate({"model": model}).model_dump()["model"] == model


@pytest.mark.parametrize(
    ("options", "given"),
    [
        *[(CompleteOptions, {"model": name}) for name in ("", "gpt 4o", "-x", "é", "a\n", "x" * 129)],
        *[(CompleteOptions, {"max_output_tokens": number}) for number in (0, 32_769)],
        *[(CompleteOptions, {"temperature": number}) for number in (-0.1, 2.1)],
        *[(DescribeOptions, {"language": code}) for code in ("", "German", "d", "de_DE", "de-", *UNSAYABLE)],
        *[(SummarizeOptions, {"max_words": number}) for number in (9, 2001, None)],
        (SummarizeOptions, {"json_schema": {"type": "object"}}),
        (DescribeOptions, {"temperature": 1}),
    ],
)
def test_options_that_no_model_could_follow_are_refused(options: type[BaseModel], given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        options.model_validate(given)


@pytest.mark.parametrize("code", ["de", "pt-BR", "zh-Hant-TW", "yue", "es-419", "sr-Latn"])
@pytest.mark.parametrize("written", [str, str.lower, str.upper])
def test_language_is_a_tag_in_any_case(code: str, written: Callable[[str], str]) -> None:
    for options in (DescribeOptions, SummarizeOptions):
        assert options(language=written(code)).model_dump()["language"] == code


def test_chat_ends_with_the_user() -> None:
    user, model = {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}
    assert len(Chat.model_validate({"messages": [user, model, user]}).messages) == 3
    with pytest.raises(ValidationError, match="the last message is the assistant's; the user's is expected"):
        Chat.model_validate({"messages": [user, model]})


def test_usage_adds_up_what_was_answered() -> None:
    usage = usage_of([asked(call(), call("b", cost=0.02)), asked(call(latency_s=0.25))], currency="EUR")
    assert (usage.requests, usage.lost_requests, usage.input_tokens, usage.output_tokens) == (3, 0, 30, 15)
    assert (usage.cost, usage.currency) == (0.04, "EUR")
    assert [(e.endpoint, e.requests, e.latency_s, e.cost) for e in usage.endpoints] == [
        ("a", 2, 0.75, 0.02),
        ("b", 1, 0.5, 0.02),
    ]


def test_lost_request_is_counted_and_not_billed() -> None:
    usage = usage_of([asked(call(), begun=3)], currency="EUR")
    assert (usage.requests, usage.lost_requests, usage.cost, usage.input_tokens) == (1, 2, 0.01, 10)


def test_cost_is_unknown_if_that_of_one_answer_is() -> None:
    usage = usage_of([asked(call(), call("b", cost=None))], currency="EUR")
    assert (usage.cost, usage.currency) == (None, None)
    assert [endpoint.cost for endpoint in usage.endpoints] == [0.01, None]


def test_job_that_asked_nothing_cost_nothing_that_is_known() -> None:
    assert usage_of([], currency="EUR").model_dump() == {
        **{"requests": 0, "lost_requests": 0, "input_tokens": 0, "output_tokens": 0},
        **{"cost": None, "currency": None, "endpoints": ()},
    }


def test_question_of_a_second_job_of_the_same_id_is_another() -> None:
    later = job(created_at=NOW + timedelta(seconds=1))
    ids = {Asked.id_of(which, "language", part, "answer") for which in (job(), later) for part in (None, 0, 1)}
    assert len(ids) == 6


@pytest.mark.parametrize(("text", "shown"), [("a", "a\n"), ("a\n", "a\n"), ("", "\n")])
def test_text_ends_with_one_line_feed(text: str, shown: str) -> None:
    assert as_text({"text": text}) == shown
