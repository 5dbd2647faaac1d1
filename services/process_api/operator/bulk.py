"""Do the same with many dead letters: one after another, not too many in a second, and say what became of each."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, ValidationError, model_validator

from claimcheck.dead_letters import DeadLetter
from claimcheck.errors import ClaimcheckError, DependencyUnavailable, LetterUnreadable, RequestRefused
from claimcheck.operator_queries import DEFAULT_LIMIT, MOST, Filters, LetterId, LetterIdText, Position
from claimcheck.operator_views import LetterOutcomeView, Outcome, OutcomesView
from claimcheck.records import Records
from services.process_api.operator.replaying import Replayer

log = logging.getLogger(__name__)

LONGEST_S = 15.0  # Clients wait 45 s for an answer, and a server that stops 20 s for its requests.
PER_S = 5.0  # A job in five or so is a model's work of seconds: workers keep up, and other tenants' jobs come between.


class Order(Filters):
    """Which dead letters: `ids`, or filters, or with `all` every one; and how many, how fast, and whether at all."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    ids: Annotated[list[LetterIdText], Field(min_length=1, max_length=MOST)] | None = None
    all: Literal[True] | None = None
    """Needed where neither ids nor filters are given, so that nobody means one letter and gets them all."""
    limit: Annotated[int, Field(ge=1, le=MOST)] = DEFAULT_LIMIT
    after: str | None = None
    """Where an earlier answer to the same filters ended."""
    dry_run: bool = False
    per_s: Annotated[float, Field(gt=0, le=100)] = PER_S
    """Letters in a second."""

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        filtered = any(getattr(self, name) is not None for name in Filters.model_fields)
        if sum((self.ids is not None, filtered, self.all is not None)) != 1:
            raise ValueError("exactly one of ids, filters (task, tenant, reason, older_than, newer_than) and all")
        return self


class ReplayOrder(Order):
    """The same for a replay."""

    force: bool = False
    """Replay letters of jobs that succeeded or were cancelled too."""


Act = Callable[[DeadLetter], Awaitable[LetterOutcomeView]]


class Bulk:
    """Replays and discards dead letters."""

    def __init__(self, records: Records, replayer: Replayer, stopping: asyncio.Event) -> None:
        """`stopping`: set when the server ends; what is untried then stays so."""
        self._records, self._replayer, self._stopping = records, replayer, stopping

    async def replay(self, order: ReplayOrder, traceparent: str) -> OutcomesView:
        """Make a job of each letter that is chosen. Raises MalformedRequest, RecordsUnavailable."""

        async def act(letter: DeadLetter) -> LetterOutcomeView:
            if order.dry_run:
                return _became(letter, "would-replay", await self._replayer.check(letter, force=order.force))
            job_id = await self._replayer.replay(letter, force=order.force, traceparent=traceparent)
            return _became(letter, "replayed", job_id)

        return await self._each(order, act, unreplayed=True)

    async def discard(self, order: Order) -> OutcomesView:
        """Delete each letter that is chosen. Raises MalformedRequest, RecordsUnavailable."""

        async def act(letter: DeadLetter) -> LetterOutcomeView:
            if order.dry_run:
                return _became(letter, "would-discard")
            await self._records.letters.discard(letter)
            log.info("letter.discarded", extra={"job_id": letter.job_id, "reason": letter.reason})
            return _became(letter, "discarded")

        return await self._each(order, act, unreplayed=False)

    async def _each(self, order: Order, act: Act, *, unreplayed: bool) -> OutcomesView:
        chosen, after = await self._chosen(order, unreplayed=unreplayed)
        loop = asyncio.get_running_loop()
        outcomes: list[LetterOutcomeView] = []
        began_at = loop.time()
        for number, letter_id in enumerate(chosen):
            due_at = began_at if order.dry_run else began_at + number / order.per_s
            if number and not await self._rested(due_at, ends_at=began_at + LONGEST_S):
                break
            outcomes.append(await self._one(letter_id, act))
            if outcomes[-1].outcome == "failed":
                break  # Whatever failed, the others would wait for it as long.
        untried = [str(letter_id) for letter_id in chosen[len(outcomes) :]]
        return OutcomesView(dry_run=order.dry_run, letters=outcomes, untried=untried, after=after)

    async def _chosen(self, order: Order, *, unreplayed: bool) -> tuple[Sequence[LetterId], str | None]:
        """The letters, and where the next ones begin if there are more."""
        if order.ids is not None:
            return [LetterId.parse(text) for text in dict.fromkeys(order.ids)], None
        wanted = order.wanted(datetime.now(UTC), unreplayed=unreplayed)
        after = Position.parse(order.after) if order.after is not None else None
        found = await self._records.letters.page(wanted, limit=order.limit + 1, after=after)
        shown = found[: order.limit]
        more = str(Position(shown[-1].stored_at, shown[-1].id)) if len(found) > len(shown) else None
        return [LetterId.of(letter) for letter in shown], more

    async def _rested(self, due_at: float, *, ends_at: float) -> bool:
        """Rest until the next letter is due; False if the answer is due earlier."""
        now = asyncio.get_running_loop().time()
        if max(now, due_at) > ends_at:
            return False
        try:
            async with asyncio.timeout(max(0.0, due_at - now)):
                await self._stopping.wait()
        except TimeoutError:
            return True
        return False

    async def _one(self, letter_id: LetterId, act: Act) -> LetterOutcomeView:
        try:
            with readable():
                return await act(await self._records.letters.read(letter_id))
        except RequestRefused as error:
            return _went_wrong(letter_id, "refused", error)
        except DependencyUnavailable as error:
            return _went_wrong(letter_id, "failed", error)


@contextlib.contextmanager
def readable() -> Iterator[None]:
    """Raises LetterUnreadable where an item is read that this release does not know."""
    try:
        yield
    except (ValidationError, KeyError) as cause:
        # The kind alone: the message would hold values, and those may be a client's.
        log.warning("letter.unreadable", extra={"why": type(cause).__name__})
        raise LetterUnreadable("the letter, or what belongs to its job, was written by a newer release") from cause


def _became(letter: DeadLetter, outcome: Outcome, job_id: str | None = None) -> LetterOutcomeView:
    return LetterOutcomeView(id=str(LetterId.of(letter)), outcome=outcome, job_id=job_id)


def _went_wrong(letter_id: LetterId, outcome: Outcome, error: ClaimcheckError) -> LetterOutcomeView:
    return LetterOutcomeView(id=str(letter_id), outcome=outcome, problem=error.problem())
