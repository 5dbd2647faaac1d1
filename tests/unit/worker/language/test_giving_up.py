"""services/worker/engines/language/giving_up.py and blame.py: how a question fails that no endpoint answers now."""

from __future__ import annotations

from typing import Any

import pytest

from claimcheck.errors import (
    ClaimcheckError,
    ContentRefused,
    ContextTooLong,
    EndpointsNotReady,
    ModelFailed,
    ModelRequestRefused,
)
from claimcheck.settings import Endpoint
from services.worker.engines.language.blame import MOST_BUSY, MOST_REMEMBERED, Suspects
from services.worker.engines.language.giving_up import (
    filtered,
    none_ready,
    not_for,
    of_refusals,
    refusal,
)
from services.worker.engines.language.outcomes import Busy, Denied, Failing, Filtered, Outcome, Refused, TooLong
from services.worker.engines.language.prices import cost_of

SECRET = "the client's own words"


def endpoint(name: str = "a", **fields: Any) -> Endpoint:
    return Endpoint(**{"name": name, "url": "http://a", "model": "m", **fields})


@pytest.mark.parametrize(
    ("outcome", "kind", "detail", "extra"),
    [
        (
            TooLong(said=SECRET),
            ContextTooLong,
            "the request is longer than the context of a, which is 128,000 tokens",
            {"service_says": SECRET},
        ),
        (TooLong(limit="rate"), ContextTooLong, "the request has more tokens than a takes in a minute", {}),
        (TooLong(limit="size"), ContextTooLong, "the request has more bytes than a takes", {}),
        (
            Refused(status=400, said=SECRET),
            ModelRequestRefused,
            "a answered 400 to the request",
            {"service_says": SECRET},
        ),
        (Refused(status=422), ModelRequestRefused, "a answered 422 to the request", {}),
        (
            Refused(status=0),
            ModelRequestRefused,
            "the request holds characters that cannot be sent, such as half of a pair",
            {},
        ),
    ],
)
def test_refusal_says_so_and_keeps_the_clients_words_out_of_the_detail(
    outcome: Outcome, kind: type[ClaimcheckError], detail: str, extra: dict[str, str]
) -> None:
    failure = refusal(outcome, endpoint())
    assert failure is not None
    assert type(failure) is kind
    assert (failure.detail, failure.extra) == (detail, extra)


@pytest.mark.parametrize(("categories", "end"), [((), "request"), (("hate", "violence"), "request: hate, violence")])
def test_filter_is_named_with_its_categories(categories: tuple[str, ...], end: str) -> None:
    failure = filtered(Filtered(categories=categories), endpoint())
    assert type(failure) is ContentRefused
    assert failure.detail == f"the content filter of a refused the {end}"


@pytest.mark.parametrize(
    "outcome", [Busy(status=429, retry_after_s=None), Failing(why="500", lost=False), Denied(status=401)]
)
def test_what_may_be_the_endpoints_fault_is_no_refusal(outcome: Outcome) -> None:
    assert refusal(outcome, endpoint()) is None


@pytest.mark.parametrize(
    ("outcome", "not_asked"),
    [
        (TooLong(), {"a", "small", "same"}),
        (TooLong(limit="rate"), {"a"}),
        (TooLong(limit="size"), {"a"}),
        (Refused(status=400), {"a"}),
    ],
)
def test_after_too_long_a_context_those_with_a_larger_one_are_left(outcome: Outcome, not_asked: set[str]) -> None:
    others = [endpoint(name, context_tokens=tokens) for name, tokens in (("small", 512), ("same", 9000), ("big", 9001))]
    for has_schema in (True, False):
        assert set(not_for(outcome, endpoint(context_tokens=9000), others, has_schema=has_schema)) == not_asked


@pytest.mark.parametrize(
    ("capabilities", "has_schema", "not_asked"),
    [
        ({"chat"}, True, {"a", "words"}),
        ({"chat"}, False, {"a", "words", "beside"}),
        ({"chat", "json"}, True, {"a", "words", "beside"}),
    ],
)
def test_after_too_long_with_the_schema_in_words_those_that_have_it_beside_the_messages_are_left(
    capabilities: set[str], has_schema: bool, not_asked: set[str]
) -> None:
    able = {"words": {"chat"}, "beside": {"chat", "json"}}
    others = [endpoint(name, context_tokens=9000, capabilities=able[name]) for name in able]
    failing = endpoint(context_tokens=9000, capabilities=capabilities)
    assert set(not_for(TooLong(), failing, others, has_schema=has_schema)) == not_asked


@pytest.mark.parametrize(
    ("context", "other_context"), [({}, {}), ({"context_tokens": 200_000}, {}), ({}, {"context_tokens": 512})]
)
def test_after_too_long_a_context_those_of_unknown_size_are_left(
    context: dict[str, Any], other_context: dict[str, Any]
) -> None:
    assert not_for(TooLong(), endpoint(**context), [endpoint("b", **other_context)], has_schema=False) == ("a",)


def test_refused_by_all_has_the_firsts_words_or_those_of_the_largest_context() -> None:
    small, large, odd = ContextTooLong("small"), ContextTooLong("large"), ModelRequestRefused("odd")
    assert of_refusals([odd, small, large]) is odd
    assert of_refusals([small, odd]) is small
    assert of_refusals([small, large, odd]) is large


def given(**changes: Any) -> dict[str, Any]:
    case = {"refusals": [], "failed": {}, "failing": {"a": "500"}, "blamed": False, "ready_in_s": 0.0}
    return {**case, "untried_in_s": None, "least_s": 0.5, **changes}


REFUSAL = ModelRequestRefused("a answered 400 to the request")
LONG = ContextTooLong("the request is longer than the context of a")


@pytest.mark.parametrize(
    ("case", "kind"),
    [
        (given(), EndpointsNotReady),
        (given(blamed=True), ModelFailed),
        (given(blamed=True, untried_in_s=1.0), EndpointsNotReady),
        (given(ready_in_s=200.0, failed={"a": "401"}), EndpointsNotReady),
        (given(ready_in_s=200.0, failed={"a": "401"}, blamed=True), EndpointsNotReady),
        (given(failing={}, untried_in_s=0.0), EndpointsNotReady),
        # Refused by one: permanent once no other is left that may be asked.
        (given(refusals=[REFUSAL], failing={}, ready_in_s=None), ModelRequestRefused),
        (given(refusals=[REFUSAL], failing={}, ready_in_s=200.0, failed={"b": "401"}), EndpointsNotReady),
        (given(refusals=[REFUSAL], failing={}, ready_in_s=9.0, untried_in_s=9.0), EndpointsNotReady),
        # Too long is asked in halves rather than waited for, if it can be and all others have failed.
        (given(refusals=[LONG], failing={}, ready_in_s=200.0, failed={"b": "401"}, divisible=True), ContextTooLong),
        (
            given(refusals=[REFUSAL], failing={}, ready_in_s=200.0, failed={"b": "401"}, divisible=True),
            EndpointsNotReady,
        ),
        (given(refusals=[LONG], failing={}, ready_in_s=9.0, untried_in_s=9.0, divisible=True), EndpointsNotReady),
        (given(refusals=[REFUSAL], failing={"b": "500"}, blamed=True), ModelFailed),
    ],
)
def test_why_nobody_can_be_asked(case: dict[str, Any], kind: type[ClaimcheckError]) -> None:
    assert type(none_ready(**case)) is kind


@pytest.mark.parametrize(("ready_in_s", "delay_s"), [(0.0, 0.5), (0.4, 0.5), (7.0, 7.0)])
def test_job_comes_back_when_the_first_is_ready_and_not_at_once(ready_in_s: float, delay_s: float) -> None:
    error = none_ready(**given(ready_in_s=ready_in_s, untried_in_s=ready_in_s))
    assert isinstance(error, EndpointsNotReady)
    assert error.delay_s == delay_s


@pytest.mark.parametrize(
    ("untried_in_s", "detail"),
    [
        (0.0, "every endpoint that is ready has as many requests as it may have"),
        (0.1, "no endpoint that could answer is ready"),
        (None, "no endpoint that could answer is ready"),
    ],
)
def test_full_endpoints_are_not_called_not_ready(untried_in_s: float | None, detail: str) -> None:
    assert none_ready(**given(untried_in_s=untried_in_s)).detail == detail


def test_failed_endpoints_are_named() -> None:
    error = none_ready(**given(ready_in_s=200.0, failed={"a": "401", "b": "404"}))
    assert isinstance(error, EndpointsNotReady)
    assert error.delay_s == 200.0
    assert error.detail == "every endpoint that could answer refuses this installation: a (401), b (404)"


def test_model_failure_names_endpoints_and_reasons() -> None:
    error = none_ready(**given(failing={"a": "500", "b": "timeout"}, blamed=True))
    assert error.detail.endswith("failed at this job, and not for the first time: a (500), b (timeout)")


FAILING, BUSY = Failing(why="500", lost=False), Busy(status=429, retry_after_s=1.0)


def blames(suspects: Suspects, outcome: Failing | Busy, times: int, *, others: bool) -> list[int]:
    """So often it fails at `q`; which of these times was the question's fault. `others`: another one is answered."""
    answered = [float(time) - 0.5 if others else None for time in range(times)]
    return [
        time
        for time, answered_at in enumerate(answered)
        if suspects.blamed("q", "a", outcome, answered_at=answered_at, now=float(time))
    ]


@pytest.mark.parametrize(
    ("outcome", "others", "blamed"),
    [
        (FAILING, True, [1, 2, 3]),
        (FAILING, False, []),
        (BUSY, True, [MOST_BUSY - 1, MOST_BUSY, MOST_BUSY + 1]),
        (BUSY, False, []),
    ],
)
def test_question_is_blamed_if_others_are_answered_in_between(
    outcome: Failing | Busy, others: bool, blamed: list[int]
) -> None:
    assert blames(Suspects(), outcome, MOST_BUSY + 2, others=others)[:3] == blamed


def test_question_and_endpoint_and_way_are_told_apart() -> None:
    suspects = Suspects()
    blames(suspects, FAILING, 2, others=True)
    assert suspects.blamed("q", "a", FAILING, answered_at=8.0, now=9.0)
    for question, name, outcome in (("q", "b", FAILING), ("r", "a", FAILING), ("q", "a", BUSY)):
        assert not suspects.blamed(question, name, outcome, answered_at=8.0, now=9.0)


def test_attempt_that_was_spent_begins_the_count_of_busy_anew() -> None:
    suspects = Suspects()
    blames(suspects, BUSY, MOST_BUSY, others=True)
    suspects.forget_busy("q", ["a", "b"])
    assert not suspects.blamed("q", "a", BUSY, answered_at=98.0, now=99.0)


def test_oldest_suspect_is_forgotten_first() -> None:
    suspects, later = Suspects(), float(MOST_REMEMBERED)
    for number in range(MOST_REMEMBERED):
        suspects.blamed(f"q{number}", "a", FAILING, answered_at=None, now=float(number))
    suspects.blamed("q0", "a", FAILING, answered_at=None, now=later)
    suspects.blamed("one more", "a", FAILING, answered_at=None, now=later + 1)
    assert suspects.blamed("q0", "a", FAILING, answered_at=later + 2, now=later + 3)
    assert not suspects.blamed("q1", "a", FAILING, answered_at=later + 2, now=later + 3)


def test_suspect_is_remembered_while_a_backlog_of_others_meets_a_busy_service() -> None:
    suspects, backlog = Suspects(), 10_000
    suspects.blamed("q", "a", FAILING, answered_at=None, now=0.0)
    for number in range(backlog):
        suspects.blamed(f"other {number}", "a", BUSY, answered_at=1.0, now=2.0)
    assert suspects.blamed("q", "a", FAILING, answered_at=3.0, now=4.0)


@pytest.mark.parametrize(("price", "cost"), [(None, None), (2.0, 2.0 * 0.75), (0.0, 0.0)])
def test_cost_is_by_the_million_tokens(price: float | None, cost: float | None) -> None:
    assert cost_of(endpoint(input_price=price, output_price=price), input_tokens=500_000, output_tokens=250_000) == cost
