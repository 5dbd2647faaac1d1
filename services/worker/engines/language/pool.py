"""Choose the endpoint of the next request, and learn from how requests end. Pure: no clock, no chance of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from claimcheck.settings import Endpoint
from services.worker.engines.language.gate import Gate
from services.worker.engines.language.outcomes import Answered, Busy, Denied, Failing, Outcome, error_of
from services.worker.engines.language.shares import Shares
from services.worker.engines.language.standing import Resting, Standing
from services.worker.engines.language.states import EndpointState, State

CANCELLED = "cancelled"

DOUBTED = frozenset({403, 404, 405})
"""What gateways and firewalls also answer to what a client has written, without a code that says so."""
DOUBT_S = 300.0
"""An endpoint that has answered has failed once nothing but such denials has come from it for so long."""


@dataclass(frozen=True)
class Turn:
    """This endpoint is asked now. To be given back by `ended` or `cancelled`."""

    endpoint: Endpoint
    probe: bool = False
    """Whether the request tries an endpoint that has rested."""


@dataclass(frozen=True)
class WaitForSlot:
    """An endpoint is ready, and has as many requests under way as it may."""


@dataclass(frozen=True)
class WaitForProbe:
    """No endpoint is ready, and one is being tried."""


@dataclass(frozen=True)
class NotReady:
    """`ready_in_s`: until the first is ready; None if none is left."""

    ready_in_s: float | None


Choice = Turn | WaitForSlot | WaitForProbe | NotReady


@dataclass(frozen=True)
class Change:
    """An endpoint's state has changed."""

    endpoint: Endpoint
    state: State
    ready_in_s: float
    error: str | None


@dataclass(frozen=True)
class _Denial:
    asker: str
    at: float


@dataclass
class _Member:
    endpoint: Endpoint
    standing: Standing = field(default_factory=Standing)
    in_flight: int = 0
    trying: Turn | None = None
    """The last that tried it after a rest."""
    answered_at: float | None = None
    denial: _Denial | None = None
    """The first of those in a row that are doubted."""
    input_tokens: int = 0
    output_tokens: int = 0
    last_error: str | None = None
    requests: Counter[str] = field(default_factory=Counter)

    @property
    def name(self) -> str:
        return self.endpoint.name

    @property
    def weight(self) -> int:
        return self.endpoint.weight

    @property
    def free(self) -> bool:
        return self.in_flight < self.endpoint.concurrency

    def is_tried_by(self, turn: Turn) -> bool:
        """Whether this request decides. One that tried it after an earlier rest, and is late, does not."""
        return self.standing.probing and self.trying is turn


class Pool:
    """The endpoints of one worker."""

    def __init__(self, endpoints: Sequence[Endpoint], resting: Resting) -> None:
        self._members = {endpoint.name: _Member(endpoint) for endpoint in endpoints}
        self._resting = resting
        self._shares, self._gate = Shares(), Gate()

    def choose(self, among: Collection[str], *, now: float, prefer: str | None = None) -> Choice:
        """The endpoint of the next request, of those named; `prefer` comes first while it is ready."""
        members = [self._members[name] for name in among]
        ready = [member for member in members if member.standing.ready_in_s(now) == 0.0]
        if not ready:
            return _why_not(members, now)
        lowest = min(member.endpoint.priority for member in ready)
        sharing = [member for member in ready if member.endpoint.priority == lowest]
        free = [member for member in sharing if member.free]
        preferred = [member for member in ready if member.name == prefer and member.free]
        if not (preferred or free):
            return WaitForSlot()
        return self._take(preferred[0] if preferred else self._shares.next(sharing, free))

    def weighed(self, turn: Turn, outcome: Outcome, *, asker: str, now: float) -> Outcome:
        """The outcome as it counts: a denial may be meant for the question.

        It may for as long as others are answered; before the first answer, until a second question meets it.
        `asker`: tells the question from every other.
        """
        member = self._members[turn.endpoint.name]
        match outcome:
            case Denied(status=status) if status in DOUBTED:
                first = member.denial = member.denial or _Denial(asker, now)
                doubted = first.asker == asker or member.answered_at is not None
                if doubted and now - first.at < DOUBT_S:
                    return Failing(why=str(status), lost=False)
            case Denied() | Failing() | Busy():
                pass
            case _:
                member.denial = None
        return outcome

    def ended(self, turn: Turn, outcome: Outcome, *, now: float, jitter: float) -> Change | None:
        """A request has ended so; the change of its endpoint's state, if that is one."""
        member = self._ended(turn, outcome.name)
        before, probe = member.standing, member.is_tried_by(turn)
        member.standing = before.after(outcome, probe=probe, now=now, resting=self._resting, jitter=jitter)
        if isinstance(outcome, Answered):
            member.answered_at = now
            member.input_tokens += outcome.input_tokens
            member.output_tokens += outcome.output_tokens
        if before.state != State.FAILED or member.standing is not before:
            member.last_error = error_of(outcome) or member.last_error
        return _change(member, before, now)

    def cancelled(self, turn: Turn) -> None:
        """Nobody waits for the request any more: that says nothing of its endpoint."""
        member = self._ended(turn, CANCELLED)
        member.standing = member.standing.let_go(probe=member.is_tried_by(turn))

    def all_rest(self, among: Collection[str], *, now: float) -> bool:
        """Whether `choose` would find none of them ready, nor being tried."""
        members = [self._members[name] for name in among]
        ready = any(member.standing.ready_in_s(now) == 0.0 for member in members)
        return not ready and isinstance(_why_not(members, now), NotReady)

    def answered_at(self, name: str) -> float | None:
        """When the endpoint last answered anything; None if it never has."""
        return self._members[name].answered_at

    def failed(self, among: Collection[str]) -> dict[str, str]:
        """Those of them that have failed, and what they answered last."""
        members = [self._members[name] for name in among]
        return {member.name: member.last_error or "" for member in members if member.standing.state == State.FAILED}

    def next_in_s(self, *, now: float) -> float | None:
        """As `ready_in_s` of all, for whoever then takes a job; while none is known to be well, one at a time."""
        members = self._members.values()
        well = any(member.standing.as_of(now) == State.READY for member in members)
        ready_in_s = _first_ready_in_s(members, now)
        return ready_in_s if well or ready_in_s != 0.0 else self._gate.wait_s(now)

    def ready_in_s(self, among: Collection[str], *, now: float) -> float | None:
        """Seconds until the first of those named is ready; None if there is none."""
        return _first_ready_in_s((self._members[name] for name in among), now)

    def due_in_s(self, *, now: float) -> float | None:
        """Seconds until the clock alone makes another one ready; None if it will not."""
        rest = [member.standing for member in self._members.values() if not member.standing.probing]
        return min((wait_s for standing in rest if (wait_s := standing.ready_in_s(now))), default=None)

    def states(self, now: float) -> list[EndpointState]:
        """Every endpoint, in the order of the configuration."""
        return [
            EndpointState(
                name=member.name,
                model=member.endpoint.model,
                demonstration=member.endpoint.demonstration,
                state=member.standing.as_of(now),
                in_flight=member.in_flight,
                concurrency=member.endpoint.concurrency,
                ready_in_s=member.standing.ready_in_s(now),
                requests=dict(member.requests),
                input_tokens=member.input_tokens,
                output_tokens=member.output_tokens,
                last_error=member.last_error,
            )
            for member in self._members.values()
        ]

    def _take(self, member: _Member) -> Turn:
        member.in_flight += 1
        member.standing = member.standing.tried()
        turn = Turn(member.endpoint, probe=member.standing.probing)
        member.trying = turn if turn.probe else member.trying
        return turn

    def _ended(self, turn: Turn, how: str) -> _Member:
        member = self._members[turn.endpoint.name]
        member.in_flight -= 1
        member.requests[how] += 1
        return member


def _why_not(members: Sequence[_Member], now: float) -> WaitForProbe | NotReady:
    if any(member.standing.probing for member in members):
        return WaitForProbe()
    return NotReady(_first_ready_in_s(members, now))


def _first_ready_in_s(members: Iterable[_Member], now: float) -> float | None:
    return min((member.standing.ready_in_s(now) for member in members), default=None)


def _change(member: _Member, before: Standing, now: float) -> Change | None:
    """What is told: another state, or the same once more after its time was over."""
    after = member.standing
    again = after.until > before.until and before.until <= now
    if after.state == before.state and not again:
        return None
    return Change(member.endpoint, after.state, after.ready_in_s(now), member.last_error)
