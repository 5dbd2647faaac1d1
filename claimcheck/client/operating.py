"""`Client.operator` and `AsyncClient.operator`: what an operator's key opens. They carry out what the flows decide."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from claimcheck.client.exchange import Flow
from claimcheck.client.operator_flows import (
    LetterFilter,
    OperatorFlows,
    Rounds,
    Verb,
    Which,
    next_params,
    page_params,
)
from claimcheck.operator_views import LetterDetailView, LetterOutcomeView, LetterView, StuckJobsView

T = TypeVar("T")
PER_S = 5.0


class Runs(Protocol):
    """Carries out a flow."""

    def __call__(self, flow: Flow[T], /) -> T: ...


class RunsAsync(Protocol):
    """The same, to be awaited."""

    def __call__(self, flow: Flow[T], /) -> Awaitable[T]: ...


@dataclass(frozen=True)
class Operator:
    """Dead letters and stuck jobs of all tenants. Needs a client with an operator's key; raises as `Client` does."""

    _flows: OperatorFlows
    _run: Runs

    def dead_letters(self, where: LetterFilter | None = None, *, limit: int | None = None) -> Iterator[LetterView]:
        """The dead letters, newest first; a page is fetched when it is reached. `limit`: None is all."""
        params: Mapping[str, str] | None = page_params(where or LetterFilter(), limit)
        left = limit
        while params is not None and left != 0:
            page = self._run(self._flows.page(params))
            shown = page.letters[:left]
            yield from shown
            params, left = next_params(page), None if left is None else left - len(shown)

    def dead_letter(self, letter_id: str) -> LetterDetailView:
        """A dead letter, what it says, and where its job stands. Raises NotFound."""
        return self._run(self._flows.letter(letter_id))

    def replay(
        self,
        which: Which,
        *,
        limit: int | None = None,
        dry_run: bool = False,
        per_s: float = PER_S,
        force: bool = False,
    ) -> Iterator[LetterOutcomeView]:
        """Make a new job of each of these letters, at most `per_s` in a second; what becomes of each, as it does.

        A letter has one replay, however often this is called. By a filter, only letters are chosen that have none yet.
        `force`: also for jobs that succeeded or were cancelled. Ends after the first letter that failed.
        """
        yield from self._each(
            "replay", Rounds(which, limit=limit, unreplayed=True, dry_run=dry_run, per_s=per_s, force=force)
        )

    def discard(
        self, which: Which, *, limit: int | None = None, dry_run: bool = False, per_s: float = PER_S
    ) -> Iterator[LetterOutcomeView]:
        """Delete these letters; what becomes of each, as it does. Their jobs stay as they are."""
        yield from self._each("discard", Rounds(which, limit=limit, dry_run=dry_run, per_s=per_s))

    def stuck_jobs(self, *, older_than: str | None = None, limit: int | None = None) -> StuckJobsView:
        """Jobs that have not ended, and have not moved for longer than five leases, or than `older_than` (`10m`)."""
        return self._run(self._flows.stuck(older_than, limit))

    def _each(self, verb: Verb, rounds: Rounds) -> Iterator[LetterOutcomeView]:
        while (outcomes := self._run(self._flows.round(verb, rounds))) is not None:
            yield from outcomes


@dataclass(frozen=True)
class AsyncOperator:
    """`Operator` for asyncio: the same calls, awaited or with `async for`."""

    _flows: OperatorFlows
    _run: RunsAsync

    async def dead_letters(
        self, where: LetterFilter | None = None, *, limit: int | None = None
    ) -> AsyncIterator[LetterView]:
        """As `Operator.dead_letters`."""
        params: Mapping[str, str] | None = page_params(where or LetterFilter(), limit)
        left = limit
        while params is not None and left != 0:
            page = await self._run(self._flows.page(params))
            shown = page.letters[:left]
            for letter in shown:
                yield letter
            params, left = next_params(page), None if left is None else left - len(shown)

    async def dead_letter(self, letter_id: str) -> LetterDetailView:
        """As `Operator.dead_letter`."""
        return await self._run(self._flows.letter(letter_id))

    def replay(
        self,
        which: Which,
        *,
        limit: int | None = None,
        dry_run: bool = False,
        per_s: float = PER_S,
        force: bool = False,
    ) -> AsyncIterator[LetterOutcomeView]:
        """As `Operator.replay`."""
        return self._each(
            "replay", Rounds(which, limit=limit, unreplayed=True, dry_run=dry_run, per_s=per_s, force=force)
        )

    def discard(
        self, which: Which, *, limit: int | None = None, dry_run: bool = False, per_s: float = PER_S
    ) -> AsyncIterator[LetterOutcomeView]:
        """As `Operator.discard`."""
        return self._each("discard", Rounds(which, limit=limit, dry_run=dry_run, per_s=per_s))

    async def stuck_jobs(self, *, older_than: str | None = None, limit: int | None = None) -> StuckJobsView:
        """As `Operator.stuck_jobs`."""
        return await self._run(self._flows.stuck(older_than, limit))

    async def _each(self, verb: Verb, rounds: Rounds) -> AsyncIterator[LetterOutcomeView]:
        while (outcomes := await self._run(self._flows.round(verb, rounds))) is not None:
            for outcome in outcomes:
                yield outcome
