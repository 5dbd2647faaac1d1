"""What an operator's calls do, request by request: decided once, for both clients. No I/O."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, quote, urlsplit

from claimcheck.client import answers
from claimcheck.client.exchange import Flow, Request
from claimcheck.client.flows import Flows, counted
from claimcheck.errors import PROBLEM_TYPE, LetterNotFound
from claimcheck.operator_views import LetterDetailView, LetterListView, LetterOutcomeView, OutcomesView, StuckJobsView

ROUTE: Final = "/v1/operator"
MOST: Final = 100  # In one request.

Verb = Literal["replay", "discard"]


@dataclass(frozen=True)
class LetterFilter:
    """Which dead letters; with nothing set, all. An age is a number and s, m, h or d, such as `2h`."""

    task: str | None = None
    tenant: str | None = None
    reason: str | None = None
    older_than: str | None = None
    newer_than: str | None = None

    def given(self) -> dict[str, str]:
        """What is set."""
        return {name: value for name, value in vars(self).items() if value is not None}


Which = Sequence[str] | LetterFilter
"""Dead letters by their ids, or by a filter."""


@dataclass(frozen=True)
class Order:
    """What is asked for some letters. `after_s`: how long to rest before, so that the pace is kept."""

    body: Mapping[str, Any]
    after_s: float = 0.0


class Rounds:
    """Which requests deal with all of the letters, one after another.

    Letters are acted on by their ids alone, those of a filter after a page of the list has told them: an order that is
    sent again since its answer was lost must mean the same letters, and not the next ones.
    """

    def __init__(self, which: Which, *, limit: int | None, unreplayed: bool = False, **how: Any) -> None:
        """`unreplayed`: of a filter's letters only those without a replay; `how`: what every order says besides."""
        self._page: Mapping[str, str] | None = None
        self._ids: deque[str] = deque()
        if isinstance(which, LetterFilter):
            self._page = page_params(which, None)
        else:
            self._ids.extend(list(dict.fromkeys(which))[:limit])
        self._left = limit
        self._unreplayed, self._how, self._has_asked = unreplayed, how, False

    def page(self) -> Mapping[str, str] | None:
        """The query of the page that must be known before the next order; None: of none."""
        return None if self._ids or self._left == 0 else self._page

    def choose(self, page: LetterListView) -> None:
        """Take the letters of that page."""
        self._page = next_params(page)
        chosen = [letter.id for letter in page.letters if not (self._unreplayed and letter.replayed_as)][: self._left]
        if self._left is not None:
            self._left -= len(chosen)
        self._ids.extend(chosen)

    def next(self) -> Order | None:
        """The next order; None: that was all. Its first letter comes as long after the last one as any other."""
        if not self._ids:
            return None
        paced = self._has_asked and not self._how.get("dry_run") and "per_s" in self._how
        self._has_asked = True
        ids = [self._ids.popleft() for _ in range(min(MOST, len(self._ids)))]
        return Order({"ids": ids, **self._how}, 1 / self._how["per_s"] if paced else 0.0)

    def take(self, done: OutcomesView) -> list[LetterOutcomeView]:
        """What an answer says. Nothing is asked after a failure: it would be met again, and again waited for."""
        self._ids.extendleft(reversed(done.untried))
        if any(letter.outcome == "failed" for letter in done.letters):
            self._ids.clear()
            self._page = None
        return done.letters


@dataclass(frozen=True)
class OperatorFlows:
    """The calls of an operator."""

    flows: Flows

    def page(self, params: Mapping[str, str]) -> Flow[LetterListView]:
        """A page of dead letters."""
        request = Request("process", "GET", f"{ROUTE}/dead-letters", params=params)
        return answers.view(LetterListView, (yield from self.flows.ask(request)))

    def letter(self, letter_id: str) -> Flow[LetterDetailView]:
        """A dead letter, what it says, and where its job stands."""
        request = Request("process", "GET", f"{ROUTE}/dead-letters/{quote(letter_id, safe=':')}")
        return answers.view(LetterDetailView, (yield from self.flows.ask(request)))

    def round(self, verb: Verb, rounds: Rounds) -> Flow[list[LetterOutcomeView] | None]:
        """Replay or discard the next letters; what became of them, None once there are no more."""
        while (params := rounds.page()) is not None:
            rounds.choose((yield from self.page(params)))
        order = rounds.next()
        return None if order is None else rounds.take((yield from self.act(verb, order)))

    def act(self, verb: Verb, order: Order) -> Flow[OutcomesView]:
        """Replay or discard some letters by their ids. Sent again it does no more: a letter has one replay, and one
        that an earlier attempt has discarded counts as discarded.
        """
        request = Request(
            "process",
            "POST",
            f"{ROUTE}/dead-letters/{verb}",
            headers={"Content-Type": "application/json"},
            body=json.dumps(order.body).encode(),
            after_s=order.after_s,
        )
        reply, attempts = yield from counted(self.flows.ask(request))
        done = answers.view(OutcomesView, reply)
        if verb == "discard" and attempts > 1 and not done.dry_run:
            done.letters = [_discarded_before(letter) for letter in done.letters]
        return done

    def stuck(self, older_than: str | None, limit: int | None) -> Flow[StuckJobsView]:
        """Jobs that do not move."""
        params = {"limit": str(MOST if limit is None else limit)}
        if older_than is not None:
            params["older_than"] = older_than
        request = Request("process", "GET", f"{ROUTE}/jobs/stuck", params=params)
        return answers.view(StuckJobsView, (yield from self.flows.ask(request)))


def page_params(where: LetterFilter, limit: int | None) -> dict[str, str]:
    """The query of the first page."""
    return {**where.given(), "limit": str(MOST if limit is None else min(limit, MOST))}


def next_params(page: LetterListView) -> dict[str, str] | None:
    """The query of the next page; None on the last. Only the query is taken: a key goes nowhere that an answer says."""
    return dict(parse_qsl(urlsplit(page.next_url).query)) if page.next_url else None


def _discarded_before(letter: LetterOutcomeView) -> LetterOutcomeView:
    """An outcome of an order that was sent before: what is not found then was discarded by that."""
    if (letter.problem or {}).get("type") != PROBLEM_TYPE + LetterNotFound.slug:
        return letter
    return LetterOutcomeView(id=letter.id, outcome="discarded")
