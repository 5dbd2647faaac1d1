"""Which requests a replay of many letters takes, told from what is answered."""

from __future__ import annotations

from typing import Any

from claimcheck.client.operator_flows import LetterFilter, Rounds
from claimcheck.operator_views import LetterOutcomeView, OutcomesView


def done(*ids: str, outcome: Any = "replayed", untried: list[str] | None = None, after: str | None = None) -> Any:
    """An answer."""
    letters = [LetterOutcomeView(id=i, outcome=outcome) for i in ids]
    return OutcomesView(dry_run=False, letters=letters, untried=untried or [], after=after)


def test_ids_are_sent_once_each_and_a_hundred_at_a_time() -> None:
    ids = [f"id-{n}" for n in range(150)]
    rounds = Rounds([*ids, "id-0"], limit=None, force=True)
    assert rounds.next() == {"ids": ids[:100], "force": True, "limit": 100}
    rounds.take(done(*ids[:100]))
    assert rounds.next() == {"ids": ids[100:], "force": True, "limit": 100}
    rounds.take(done(*ids[100:]))
    assert rounds.next() is None


def test_filter_goes_on_where_the_answer_ends() -> None:
    rounds = Rounds(LetterFilter(task="probe", older_than="2h"), limit=None)
    first = {"task": "probe", "older_than": "2h"}
    assert rounds.next() == {**first, "limit": 100}
    assert [letter.id for letter in rounds.take(done("a", "b", after="x"))] == ["a", "b"]
    assert rounds.next() == {**first, "after": "x", "limit": 100}
    rounds.take(done("c"))
    assert rounds.next() is None


def test_filter_without_anything_says_that_all_are_meant() -> None:
    assert Rounds(LetterFilter(), limit=None).next() == {"all": True, "limit": 100}


def test_untried_letters_come_before_the_next_page() -> None:
    rounds = Rounds(LetterFilter(tenant="acme"), limit=None)
    rounds.next()
    rounds.take(done("a", untried=["b", "c"], after="x"))
    assert rounds.next() == {"ids": ["b", "c"], "limit": 100}
    rounds.take(done("b", untried=["c"]))
    assert rounds.next() == {"ids": ["c"], "limit": 100}
    rounds.take(done("c"))
    assert rounds.next() == {"tenant": "acme", "after": "x", "limit": 100}


def test_limit_counts_letters_over_all_requests() -> None:
    rounds = Rounds(LetterFilter(), limit=3)
    assert rounds.next() == {"all": True, "limit": 3}
    rounds.take(done("a", "b", untried=["c"], after="x"))
    assert rounds.next() == {"ids": ["c"], "limit": 1}
    rounds.take(done("c"))
    assert rounds.next() is None
    some = Rounds(["a", "b", "c"], limit=2)
    assert some.next() == {"ids": ["a", "b"], "limit": 2}


def test_nothing_is_asked_after_a_failure() -> None:
    rounds = Rounds(LetterFilter(), limit=None)
    rounds.next()
    assert [letter.outcome for letter in rounds.take(done("a", outcome="failed", untried=["b"], after="x"))] == [
        "failed"
    ]
    assert rounds.next() is None
