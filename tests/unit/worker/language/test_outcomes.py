"""services/worker/engines/language/outcomes.py: what each answer of a service comes to."""

from __future__ import annotations

from typing import Any

import pytest

from services.worker.engines.language.outcomes import (
    MAX_SAID_CHARS,
    Answered,
    Busy,
    Denied,
    Failing,
    Filtered,
    Outcome,
    Refused,
    TooLong,
    error_of,
    of_status,
)

AZURE_FILTER = {
    "code": "content_filter",
    "message": "The response was filtered",
    "innererror": {
        "code": "ResponsibleAIPolicyViolation",
        "content_filter_result": {
            "violence": {"filtered": True, "severity": "high"},
            "hate": {"filtered": True},
            "sexual": {"filtered": False},
            "custom": "yes",
        },
    },
}
OPENAI_SAYS = "Request too large for gpt-4o on tokens per min (TPM): Limit 10000, Requested 20000."
GROQ_SAYS = "Request too large for model `llama` on tokens per minute (TPM): Limit 6000, Requested 8000"
ANSWERED = Answered(text="Hi", model="m", finish_reason="stop", input_tokens=1, output_tokens=1)


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (400, AZURE_FILTER, Filtered(categories=("hate", "violence"))),
        (400, {"code": "content_policy_violation"}, Filtered()),
        (400, {"code": None, "innererror": {"code": "ResponsibleAIPolicyViolation"}}, Filtered()),
        (403, {"code": "content_filter"}, Filtered()),
        (400, {"code": "context_length_exceeded", "message": "too long"}, TooLong(said="too long")),
        (400, {"type": "exceed_context_size_error"}, TooLong()),
        (
            400,
            {"message": "it exceeds the available context size"},
            TooLong(said="it exceeds the available context size"),
        ),
        (413, "no JSON", TooLong(limit="size")),
        (413, {"message": "the context length is 8"}, TooLong(said="the context length is 8")),
        (413, {"message": GROQ_SAYS, "code": "rate_limit_exceeded"}, TooLong(limit="rate", said=GROQ_SAYS)),
        (429, {"code": "insufficient_quota", "type": "insufficient_quota"}, Denied(status=429)),
        (429, {"message": OPENAI_SAYS, "type": "tokens"}, TooLong(limit="rate", said=OPENAI_SAYS)),
        (
            429,
            {"message": "Rate limit reached: Limit 10000, Used 9000, Requested 2000", "type": "tokens"},
            Busy(status=429, retry_after_s=None),
        ),
        (400, {"message": "bad schema"}, Refused(status=400, said="bad schema")),
        (400, {"message": "x" * 1000}, Refused(status=400, said="x" * MAX_SAID_CHARS)),
        (400, None, Refused(status=400)),
        (422, ["odd"], Refused(status=422)),
        (401, {"code": "invalid_api_key"}, Denied(status=401)),
        (403, None, Denied(status=403)),
        (404, {"code": "DeploymentNotFound"}, Denied(status=404)),
        (408, None, Failing(why="408", lost=False)),
        (409, None, Failing(why="409", lost=False)),
        (500, {"code": "content_filter"}, Failing(why="500", lost=False)),
        (503, None, Failing(why="503", lost=False)),
        (302, None, Failing(why="302", lost=False)),
        (429, {"code": "content_filter"}, Busy(status=429, retry_after_s=None)),
    ],
)
def test_status_and_body_tell_the_outcome(status: int, body: Any, outcome: Outcome) -> None:
    assert of_status(status, body, retry_after_s=None) == outcome


@pytest.mark.parametrize("status", [429, 503, 500])
def test_service_that_says_when_it_is_back_is_busy(status: int) -> None:
    assert of_status(status, None, retry_after_s=3.0) == Busy(status=status, retry_after_s=3.0)


@pytest.mark.parametrize(
    ("outcome", "word"),
    [
        (ANSWERED, None),
        (Failing(why="timeout", lost=True), "timeout"),
        (Busy(status=429, retry_after_s=1.0), "429"),
        (Denied(status=401), "401"),
        (Denied(status=0), "unsendable"),
        (Refused(status=400, said="the client's own words"), "400"),
        (Filtered(categories=("hate",)), "filtered"),
        (TooLong(said="the client's own words"), "too-long"),
    ],
)
def test_error_is_one_word_without_anybodys_words(outcome: Outcome, word: str | None) -> None:
    assert error_of(outcome) == word
