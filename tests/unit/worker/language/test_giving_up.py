"""services/worker/engines/language/giving_up.py and blame.py: how a question fails that no endpoint answers now."""

from __future__ import annotations

from typing import Any

import pytest

from claimcheck.errors import (
    ClaimcheckError,
    ContentRefused,
    ContextTooLong,
    EndpointsCooling,
    EndpointsFailed,
    ModelFailed,
    ModelRequestRefused,
)
from claimcheck.settings import Endpoint
from services.worker.engines.language.blame import MOST_REMEMBERED, Suspects
from services.worker.engines.language.giving_up import FAILED_RETRY_S, none_ready, refusal
from services.worker.engines.language.outcomes import Busy, Denied, Failing, Filtered, Outcome, Refused, TooLong
from services.worker.engines.language.prices import cost_of

SECRET = "the client's own words"


@pytest.mark.parametrize(
    ("outcome", "kind", "detail", "extra"),
    [
        (Filtered(), ContentRefused, "the content filter of a refused the request", {}),
        (Filtered(categories=("hate",)), ContentRefused, "the content filter of a refused the request: hate", {}),
        (TooLong(said=SECRET), ContextTooLong, "the request is longer than the context of a", {"service_says": SECRET}),
        (
            Refused(status=400, said=SECRET),
            ModelRequestRefused,
            "a answered 400 to the request",
            {"service_says": SECRET},
        ),
        (Refused(status=422), ModelRequestRefused, "a answered 422 to the request", {}),
    ],
)
def test_what_is_permanent_says_so_and_keeps_the_clients_words_out_of_the_detail(
    outcome: Outcome, kind: type[ClaimcheckError], detail: str, extra: dict[str, str]
) -> None:
    failure = refusal(outcome, "a")
    assert type(failure) is kind
    assert (failure.detail, failure.extra) == (detail, extra)


@pytest.mark.parametrize(
    "outcome", [Busy(status=429, retry_after_s=None), Failing(why="500", lost=False), Denied(status=401)]
)
def test_what_another_endpoint_may_do_better_is_no_refusal(outcome: Outcome) -> None:
    assert refusal(outcome, "a") is None


def given(**changes: Any) -> dict[str, Any]:
    return {"failing": {"a": "500"}, "untried": 0, "blamed": False, "ready_in_s": 0.0, "least_s": 0.5, **changes}


@pytest.mark.parametrize(
    ("case", "kind"),
    [
        (given(), EndpointsCooling),
        (given(blamed=True), ModelFailed),
        (given(blamed=True, untried=1), EndpointsCooling),
        (given(ready_in_s=None), EndpointsFailed),
        (given(ready_in_s=None, blamed=True), EndpointsFailed),
        (given(failing={}), EndpointsCooling),
    ],
)
def test_why_nobody_can_be_asked(case: dict[str, Any], kind: type[ClaimcheckError]) -> None:
    assert type(none_ready(**case)) is kind


@pytest.mark.parametrize(("ready_in_s", "delay_s"), [(0.0, 0.5), (0.4, 0.5), (7.0, 7.0)])
def test_job_comes_back_when_the_first_is_ready_and_not_at_once(ready_in_s: float, delay_s: float) -> None:
    error = none_ready(**given(ready_in_s=ready_in_s))
    assert isinstance(error, EndpointsCooling)
    assert error.delay_s == delay_s


def test_failed_endpoints_are_asked_again_late() -> None:
    error = none_ready(**given(ready_in_s=None))
    assert isinstance(error, EndpointsFailed)
    assert error.retry_after_s == FAILED_RETRY_S


def test_model_failure_names_endpoints_and_reasons() -> None:
    error = none_ready(**given(failing={"a": "500", "b": "timeout"}, blamed=True))
    assert error.detail.endswith("failed at this job, and not for the first time: a (500), b (timeout)")


def test_suspects_are_remembered_by_question_and_endpoint() -> None:
    suspects = Suspects()
    suspects.note("q", "a", now=1.0)
    suspects.note("q", "a", now=2.0)
    assert [suspects.failed_at(*pair) for pair in (("q", "a"), ("q", "b"), ("r", "a"))] == [2.0, None, None]


def test_oldest_suspect_is_forgotten_first() -> None:
    suspects = Suspects()
    for number in range(MOST_REMEMBERED):
        suspects.note(f"q{number}", "a", now=float(number))
    suspects.note("q0", "a", now=5000.0)
    suspects.note("one more", "a", now=5001.0)
    assert suspects.failed_at("q0", "a") == 5000.0
    assert suspects.failed_at("q1", "a") is None


@pytest.mark.parametrize(("price", "cost"), [(None, None), (2.0, 2.0 * 0.75), (0.0, 0.0)])
def test_cost_is_by_the_million_tokens(price: float | None, cost: float | None) -> None:
    endpoint = Endpoint(name="a", url="http://a", model="m", input_price=price, output_price=price)
    assert cost_of(endpoint, input_tokens=500_000, output_tokens=250_000) == cost
