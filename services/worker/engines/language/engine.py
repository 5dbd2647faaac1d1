"""Ask whichever endpoint is ready, keep its answer, and learn from how it went. Thin: what follows, `pool` decides."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Sequence

from claimcheck.errors import ClaimcheckError, EndpointsNotReady, JobFailure, ModelFailed
from claimcheck.language import Call
from claimcheck.settings import Capability, Endpoint, LanguageSettings
from services.worker.engines.language.blame import MOST_LOST, Suspects
from services.worker.engines.language.calling import Caller
from services.worker.engines.language.giving_up import Rest, filtered, none_ready, not_for, refusal
from services.worker.engines.language.inquiry import Inquiry
from services.worker.engines.language.judging import Ask, judge, messages_for
from services.worker.engines.language.offers import able
from services.worker.engines.language.outcomes import Answered, Busy, Failing, Filtered, Outcome, error_of
from services.worker.engines.language.pool import Turn
from services.worker.engines.language.prices import cost_of
from services.worker.engines.language.question import CHAT, Message, Question, Reply, shown
from services.worker.engines.language.standing import half_to_all
from services.worker.engines.language.states import EndpointState
from services.worker.engines.language.turns import Turns
from services.worker.ledger import Ledger

log = logging.getLogger(__name__)


class LanguageEngine:
    """The endpoints of one worker. Safe to share between coroutines of one event loop."""

    def __init__(self, settings: LanguageSettings) -> None:
        """Opens nothing: clients are made by `open`, or at the first request."""
        self.settings = settings
        self._turns = Turns(settings)
        self._caller = Caller(settings)
        self._suspects = Suspects()

    async def open(self) -> None:
        """Get ready for the first question: it takes a second or two, and connects to nobody."""
        await self._caller.open()

    async def ask(self, question: Question, ledger: Ledger) -> Reply:
        """The answer that counts; one that an earlier delivery has kept is not asked for again.

        Raises NoEndpoint, ModelNotOffered, ContentRefused, ContextTooLong, AnswerInvalid, ModelRequestRefused
        (permanent), ModelFailed (retryable), EndpointsNotReady, DependencyUnavailable (of the ledger).
        """
        names = self._able(question.needs, question.model)
        await self._check_ready(names, question.name, ledger)
        inquiry = await Inquiry.begin(question, ledger)
        try:
            while isinstance(verdict := judge(question, inquiry.asked.calls, names), Ask):
                await self._ask_one(inquiry, verdict)
        except (JobFailure, EndpointsNotReady):
            await inquiry.withdraw()
            raise
        except asyncio.CancelledError:
            await inquiry.withdraw_soon()
            raise
        return Reply(call=verdict.call, data=verdict.data, asked=inquiry.asked)

    async def check_ready(
        self, question: str, ledger: Ledger, *, needs: frozenset[Capability] = CHAT, model: str | None
    ) -> None:
        """Raise what `ask` would raise at once for a question of this name, before anything is done to put it.

        A job that waits for an endpoint comes back often, and its input need not be fetched and opened each time.
        Raises NoEndpoint, ModelNotOffered, EndpointsNotReady, DependencyUnavailable (of the ledger).
        """
        await self._check_ready(self._able(needs, model), question, ledger)

    def context_tokens(self, *, needs: frozenset[Capability], model: str | None) -> int:
        """The smallest context of the endpoints that may be asked. Raises NoEndpoint, ModelNotOffered."""
        found = able(self.settings.endpoints, needs=needs, model=model)
        return min(endpoint.context_tokens for endpoint in found)

    def next_in_s(self) -> float:
        """Seconds until whoever asks may take a job; one at a time while a rested endpoint is to be tried.

        0 if there is no endpoint at all: each job is told so.
        """
        return self._turns.next_in_s() or 0.0

    def states(self) -> list[EndpointState]:
        """How every endpoint stands, in the order of the configuration."""
        return self._turns.states()

    async def close(self) -> None:
        """Close every connection."""
        await self._caller.close()

    def _able(self, needs: frozenset[Capability], model: str | None) -> tuple[str, ...]:
        return tuple(endpoint.name for endpoint in able(self.settings.endpoints, needs=needs, model=model))

    async def _ask_one(self, inquiry: Inquiry, verdict: Ask) -> None:
        """Ask one endpoint, and keep its answer if it gives one. Raises if none is left, or the job's own fault."""
        turn = await self._turns.take(inquiry.untried(verdict.among), prefer=verdict.prefer)
        if not isinstance(turn, Turn):
            raise self._none_ready(inquiry, verdict.among)
        outcome: Outcome | None = None
        began_at = time.monotonic()
        try:
            if await inquiry.note():
                began_at = time.monotonic()
                inquiry.made()
                outcome = await self._caller.call(turn.endpoint, inquiry.question, self._messages(inquiry, turn))
        finally:
            if outcome is None:
                self._turns.cancelled(turn)
            else:
                outcome = self._turns.ended(turn, outcome, asker=inquiry.key)
        if isinstance(outcome, Answered):
            await inquiry.keep(_call(turn, outcome, time.monotonic() - began_at))
            self._log_content(inquiry, outcome)
        elif outcome is not None:
            self._note_failure(inquiry, turn.endpoint, outcome)

    def _note_failure(self, inquiry: Inquiry, endpoint: Endpoint, outcome: Outcome) -> None:
        """Remember it for this question. Raises ContentRefused: nobody else is asked then."""
        why = error_of(outcome) or outcome.name
        log.warning("request.failed", extra={"endpoint": endpoint.name, "outcome": outcome.name, "error": why})
        lost = isinstance(outcome, Failing) and outcome.lost
        if not lost:
            inquiry.failed_for_sure()
        if isinstance(outcome, Filtered):
            raise filtered(outcome, endpoint)
        if (failure := refusal(outcome, endpoint)) is not None:
            inquiry.refusals.append(failure)
            has_schema = inquiry.question.json_schema is not None
            others = self._others(inquiry, endpoint)
            inquiry.refusing.update(not_for(outcome, endpoint, others, has_schema=has_schema))
            return
        inquiry.failing[endpoint.name] = why
        if lost and inquiry.asked.lost >= MOST_LOST:
            inquiry.blamed = True
        if isinstance(outcome, Failing | Busy) and self._blames(inquiry, endpoint.name, outcome):
            inquiry.blamed = True

    def _blames(self, inquiry: Inquiry, name: str, outcome: Failing | Busy) -> bool:
        answered_at = self._turns.answered_at(name)
        return self._suspects.blamed(inquiry.key, name, outcome, answered_at=answered_at, now=time.monotonic())

    def _others(self, inquiry: Inquiry, endpoint: Endpoint) -> Sequence[Endpoint]:
        """Those that are sent the same messages: this one may have been sent its own broken answer as well."""
        repairs = any(call.endpoint == endpoint.name for call in inquiry.asked.calls)
        return () if repairs else self.settings.endpoints

    def _none_ready(self, inquiry: Inquiry, among: Sequence[str]) -> ClaimcheckError:
        left = inquiry.left(among)
        failure = none_ready(
            refusals=inquiry.refusals,
            failing={name: why for name, why in inquiry.failing.items() if name in left},
            blamed=inquiry.blamed,
            divisible=inquiry.question.divisible,
            **self._rest(left, inquiry.untried(among)),
        )
        if isinstance(failure, ModelFailed):
            self._suspects.forget_busy(inquiry.key, left)
        return failure

    async def _check_ready(self, names: Sequence[str], question: str, ledger: Ledger) -> None:
        """Raise if nobody can be asked now and no answer is there to be judged: a read, in place of two writes."""
        if not self._turns.all_rest(names):
            return
        if (found := await ledger.find(question)) is not None and found.calls:
            return
        raise none_ready(**self._rest(names, names))

    def _rest(self, left: Sequence[str], untried: Sequence[str]) -> Rest:
        failed = self._turns.failed(left)
        return Rest(
            failed=failed if len(failed) == len(left) else {},
            ready_in_s=self._turns.ready_in_s(left),
            untried_in_s=self._turns.ready_in_s([name for name in untried if name not in failed]),
            # So that those of one moment do not come back together.
            least_s=self.settings.rest_first_s * half_to_all(random.random()),
        )

    def _messages(self, inquiry: Inquiry, turn: Turn) -> list[Message]:
        told_schema = "json" in turn.endpoint.capabilities
        return messages_for(inquiry.question, inquiry.asked.calls, turn.endpoint.name, told_schema=told_schema)

    def _log_content(self, inquiry: Inquiry, outcome: Answered) -> None:
        if self.settings.log_content:
            content = {"messages": shown(inquiry.question.messages), "answer": outcome.text}
            log.info("model.answered", extra=content)


def _call(turn: Turn, outcome: Answered, latency_s: float) -> Call:
    return Call(
        text=outcome.text,
        endpoint=turn.endpoint.name,
        model=outcome.model,
        finish_reason=outcome.finish_reason,
        input_tokens=outcome.input_tokens,
        output_tokens=outcome.output_tokens,
        latency_s=latency_s,
        cost=cost_of(turn.endpoint, input_tokens=outcome.input_tokens, output_tokens=outcome.output_tokens),
        demonstration=turn.endpoint.demonstration,
    )
