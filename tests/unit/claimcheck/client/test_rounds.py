"""Which requests a replay of many letters takes, told from what is answered."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from claimcheck.client.exchange import NoReply, Outcome, Reply, Request
from claimcheck.client.flows import Flows
from claimcheck.client.operator_flows import LetterFilter, OperatorFlows, Order, Rounds
from claimcheck.client.retrying import Retry
from claimcheck.operator_views import LetterListView, LetterOutcomeView, LetterView, OutcomesView

NOW = datetime(2026, 3, 14, tzinfo=UTC)
NOT_FOUND = {"type": "urn:claimcheck:problem:letter-not-found", "detail": "there is none"}


def done(*ids: str, outcome: Any = "replayed", untried: list[str] | None = None) -> Any:
    """An answer."""
    letters = [LetterOutcomeView(id=i, outcome=outcome) for i in ids]
    return OutcomesView(dry_run=False, letters=letters, untried=untried or [])


def page(*ids: str, after: str = "", replayed: Sequence[str] = ()) -> LetterListView:
    """A page of the list."""
    about: dict[str, Any] = {
        **{"queue": "speech", "message_id": "m", "reason": "r", "description": "d"},
        **{"delivery_count": 10, "enqueued_at": NOW, "stored_at": NOW},
    }
    letters = [LetterView(id=i, replayed_as="x" if i in replayed else None, **about) for i in ids]
    return LetterListView(letters=letters, next_url=f"https://x/letters?task=probe&after={after}" if after else None)


def test_ids_are_sent_once_each_and_a_hundred_at_a_time() -> None:
    ids = [f"id-{n}" for n in range(150)]
    rounds = Rounds([*ids, "id-0"], limit=None, force=True)
    assert rounds.page() is None
    assert rounds.next() == Order({"ids": ids[:100], "force": True})
    rounds.take(done(*ids[:100]))
    assert rounds.next() == Order({"ids": ids[100:], "force": True})
    rounds.take(done(*ids[100:]))
    assert rounds.next() is None


def test_filter_becomes_ids_page_by_page() -> None:
    rounds = Rounds(LetterFilter(task="probe", older_than="2h"), limit=None)
    assert rounds.page() == {"task": "probe", "older_than": "2h", "limit": "100"}
    rounds.choose(page("a", "b", after="x"))
    assert rounds.page() is None
    assert rounds.next() == Order({"ids": ["a", "b"]})
    assert [letter.id for letter in rounds.take(done("a", "b"))] == ["a", "b"]
    assert rounds.page() == {"task": "probe", "after": "x"}
    rounds.choose(page("c"))
    assert rounds.next() == Order({"ids": ["c"]})
    rounds.take(done("c"))
    assert rounds.page() is None
    assert rounds.next() is None


def test_letters_with_a_replay_are_passed_over_and_not_counted() -> None:
    rounds = Rounds(LetterFilter(), limit=2, unreplayed=True)
    rounds.choose(page("a", "b", after="x", replayed=["a", "b"]))
    assert rounds.page() == {"task": "probe", "after": "x"}
    rounds.choose(page("c", "d", "e", after="y", replayed=["c"]))
    assert rounds.next() == Order({"ids": ["d", "e"]})
    assert rounds.page() is None


def test_untried_letters_come_before_the_next_page() -> None:
    rounds = Rounds(LetterFilter(tenant="acme"), limit=None)
    rounds.choose(page("a", "b", "c", after="x"))
    rounds.next()
    rounds.take(done("a", untried=["b", "c"]))
    assert rounds.page() is None
    assert rounds.next() == Order({"ids": ["b", "c"]})
    rounds.take(done("b", "c"))
    assert rounds.page() is not None


def test_limit_counts_letters_over_all_requests() -> None:
    rounds = Rounds(LetterFilter(), limit=3)
    rounds.choose(page("a", "b", after="x"))
    rounds.next()
    rounds.take(done("a", untried=["b"]))
    rounds.next()
    rounds.take(done("b"))
    rounds.choose(page("c", "d", after="y"))
    assert rounds.next() == Order({"ids": ["c"]})
    rounds.take(done("c"))
    assert rounds.page() is None
    assert rounds.next() is None
    some = Rounds(["a", "b", "c"], limit=2)
    assert some.next() == Order({"ids": ["a", "b"]})


def test_nothing_is_asked_after_a_failure() -> None:
    rounds = Rounds(LetterFilter(), limit=None)
    rounds.choose(page("a", "b", after="x"))
    rounds.next()
    assert [letter.outcome for letter in rounds.take(done("a", outcome="failed", untried=["b"]))] == ["failed"]
    assert rounds.page() is None
    assert rounds.next() is None


def test_pace_is_kept_from_one_order_to_the_next_and_by_no_dry_run() -> None:
    for dry_run, rests in ((False, [0.0, 4.0, 4.0]), (True, [0.0, 0.0, 0.0])):
        rounds = Rounds(["a", "b", "c"], limit=None, per_s=0.25, dry_run=dry_run)
        seen = []
        for letter, untried in (("a", ["b", "c"]), ("b", ["c"]), ("c", [])):
            order = rounds.next()
            assert order is not None
            seen.append(order.after_s)
            rounds.take(done(letter, untried=untried))
        assert seen == rests


def carried_out(rounds: Rounds, *outcomes: Outcome) -> tuple[list[Request], list[LetterOutcomeView]]:
    """What a discard asks for when it meets these outcomes, and what it says of each letter."""
    flow = OperatorFlows(Flows(Retry(), lambda: 0.0, lambda: 0.0)).round("discard", rounds)
    asked = [next(flow)]
    try:
        for outcome in outcomes:
            asked.append(flow.send(outcome))
    except StopIteration as end:
        return asked, end.value
    raise AssertionError("it asks for more")


def _answer(*letters: Any) -> Reply:
    return Reply(200, body=OutcomesView(dry_run=False, letters=list(letters), untried=[]).model_dump_json().encode())


def test_discard_whose_answer_was_lost_means_the_same_letters_and_finds_what_it_did() -> None:
    shown = Reply(200, body=page("a", "b", "c").model_dump_json().encode())
    gone = LetterOutcomeView(id="a", outcome="refused", problem=NOT_FOUND)
    left = LetterOutcomeView(id="b", outcome="discarded")
    asked, told = carried_out(
        Rounds(LetterFilter(), limit=2), shown, NoReply(TimeoutError("no answer")), _answer(gone, left)
    )
    assert [request.method for request in asked] == ["GET", "POST", "POST"]
    assert [json.loads(request.body or b"") for request in asked[1:]] == [{"ids": ["a", "b"]}] * 2
    assert [(letter.id, letter.outcome, letter.problem) for letter in told] == [
        ("a", "discarded", None),
        ("b", "discarded", None),
    ]


def test_letter_that_is_not_found_at_the_first_attempt_was_not_discarded_by_us() -> None:
    gone = LetterOutcomeView(id="a", outcome="refused", problem=NOT_FOUND)
    _, told = carried_out(Rounds(["a"], limit=None), _answer(gone))
    assert [letter.outcome for letter in told] == ["refused"]
