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
from claimcheck.client.flows import Flows
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


class Rounds:
    """Which requests deal with all of the letters, one after another."""

    def __init__(self, which: Which, *, limit: int | None, **how: Any) -> None:
        """`how`: what every request says besides."""
        self._filter: Mapping[str, Any] = {}
        starts: list[Mapping[str, Any]]
        if isinstance(which, LetterFilter):
            self._filter = which.given() or {"all": True}
            starts = [self._filter]
        else:
            ids = list(dict.fromkeys(which))[:limit]
            starts = [{"ids": ids[n : n + MOST]} for n in range(0, len(ids), MOST)]
        self._left = deque(starts)
        self._limit, self._how, self._done = limit, how, 0

    def next(self) -> dict[str, Any] | None:
        """The next request's body; None: that was all."""
        most = MOST if self._limit is None else min(MOST, self._limit - self._done)
        if not self._left or most <= 0:
            return None
        return {**self._left.popleft(), **self._how, "limit": most}

    def take(self, done: OutcomesView) -> list[LetterOutcomeView]:
        """What an answer says. Nothing is asked after a failure: it would be met again, and again waited for."""
        self._done += len(done.letters)
        if any(letter.outcome == "failed" for letter in done.letters):
            self._left.clear()
            return done.letters
        if done.after is not None:
            self._left.appendleft({**self._filter, "after": done.after})
        if done.untried:
            self._left.appendleft({"ids": done.untried})
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

    def act(self, verb: Verb, asked: Mapping[str, Any]) -> Flow[OutcomesView]:
        """Replay or discard some letters. Sent again it does no more: a letter has one replay."""
        request = Request(
            "process",
            "POST",
            f"{ROUTE}/dead-letters/{verb}",
            headers={"Content-Type": "application/json"},
            body=json.dumps(asked).encode(),
        )
        return answers.view(OutcomesView, (yield from self.flows.ask(request)))

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
