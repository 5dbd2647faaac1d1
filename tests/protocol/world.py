"""What every process can do to the world: write the record, and make the requests that announce it. Pure.

Each function mirrors one of the product's and says which; what it decides, `product` says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.protocol import broker
from tests.protocol.concrete import Violation
from tests.protocol.product import Product, Sending
from tests.protocol.scenarios import Scenario
from tests.protocol.state import NOBODY, WHOLE, Ident, Record, Request, State, idle, then

Outcome = tuple[str, State]
"""What happened, in words, and the state after it."""
Outcomes = Iterator[Outcome]
MakeRequest = Callable[..., Outcomes]
"""(world, state, which process, the request's arguments) -> what may come of it"""


@dataclass(frozen=True)
class World:
    """A scenario, the product's decisions, and the rules that are switched off in the order of requests."""

    scenario: Scenario
    product: Product
    off: frozenset[str] = frozenset()

    def write(self, state: State, i: int, name: str, *arguments: object) -> State | None:
        """`Records.write` by process `i`: the state with the record written; None: refused."""
        record, actor = state.record, state.actors[i]
        if record is None:
            return None
        written = self.product.written(record, (name, *arguments), actor.owns, actor.fresh)
        if written is None:
            return None
        if record.ended:
            raise Violation("S1 terminal is final")
        return moved(state, written)

    def write_as_runner(self, state: State, i: int, name: str, *arguments: object) -> State | None:
        """The same by who believes that it runs the job."""
        owns = state.actors[i].owns
        written = self.write(state, i, name, *arguments)
        if written and not owns:
            raise Violation("S4 a stale owner's write was accepted")
        return written

    def announcing(self, record: Record) -> tuple[Request, ...]:
        """`Announcer.written`: what is sent for a record that has just been written."""
        if self.product.fans_out(record.stage):
            return (("query_parts", announced(record)),)
        return self.sending(self.product.announce(record, 0), record)

    def sending(self, sending: Sending, record: Record) -> tuple[Request, ...]:
        """`Announcer._carry_out`."""
        idents, join = sending
        if join:
            return (("join", announced(record)),)
        later = not self.product.fans_out(record.stage) and self.product.waits(record)
        return tuple(("send", ident, later) for ident in idents)

    def passing_on(self, record: Record, ident: Ident) -> tuple[Request, ...]:
        """`Announcer.pass_on`."""
        following = self.product.pass_on(record, ident)
        return self.announcing(record) if following is None else self.sending(following, record)


def moved(state: State, record: Record) -> State:
    """The state with a new version of the record: every etag that was read is old, and patience starts anew."""
    runs = record.runner != NOBODY
    actors = tuple([a._replace(fresh=False, owns=a.owns and runs) if a.fresh or a.owns else a for a in state.actors])
    messages = state.messages
    if state.impatient:
        messages = tuple([message._replace(late=False) for message in messages])
    return state._replace(record=record, actors=actors, messages=messages, impatient=False)


def announced(record: Record) -> Record:
    """Of a fan-out's record as it was written, what announcing and joining go by."""
    return record._replace(status="running", attempt=1, turn=0, runner=NOBODY, done=0, due="never")


def send(world: World, state: State, i: int, ident: Ident, later: bool) -> Outcomes:
    """`Queues.send`."""
    sent = broker.send(state, ident, later=later, dedupe=world.scenario.dedupe)
    fate = "dropped as a duplicate" if sent is state else f"#{sent.numbers}" + (", scheduled" if later else "")
    yield f"sends {words(ident)}: {fate}", then(sent, i)


def again(world: World, state: State, i: int) -> Outcomes:
    """`Announcer.again`: touch, then announce what the touch found."""
    touched = world.write(state, i, "touch") if "beat" not in world.off else state
    if touched is None:
        yield "touches the record to announce it: refused", then(state, i)
    elif touched.record:
        yield "touches the record, to announce it", then(touched, i, *world.announcing(touched.record))


def pass_on_again(world: World, state: State, i: int) -> Outcomes:
    """`Announcer.pass_on_again`."""
    touched = world.write(state, i, "touch") if "beat" not in world.off else state
    if touched is None:
        yield "touches the record to pass on: refused", then(state, i)
    elif touched.record:
        following = world.passing_on(touched.record, state.actors[i].ident)
        yield "touches the record, to pass on", then(touched, i, *following)


def query_parts(world: World, state: State, i: int, record: Record) -> Outcomes:
    """`Records.parts_done`, and what `Announcer.written` makes of it."""
    sending = world.product.announce(record, state.items)
    yield "asks which parts are done", then(state, i, *world.sending(sending, record))


def join(world: World, state: State, i: int, record: Record) -> Outcomes:
    """`Announcer._join`."""
    joined = world.write(state, i, "join", record)
    if joined and joined.record:
        yield "all parts are done: joins", then(joined, i, *world.announcing(joined.record))
    else:
        yield "join refused", then(state, i, ("after_join", record))


def after_join(world: World, state: State, i: int, record: Record) -> Outcomes:
    """`Announcer._join`, refused: what is there now?"""
    current = state.record
    if current is None or current.ended or (current.stage, current.epoch) == (record.stage, record.epoch):
        yield "reads the record: nothing to announce", then(state, i)
    else:
        yield "reads the record: it has gone on", then(state, i, ("again",))


def complete(world: World, state: State, i: int) -> Outcomes:
    """`Receiver.complete`, the last request of a delivery."""
    yield f"completes #{state.actors[i].number}", idle(broker.settled(state, i), i)


def words(ident: Ident) -> str:
    """A message as a trace shows it."""
    part = "" if ident.part == WHOLE else f" part {ident.part}"
    return f"[epoch {ident.epoch} stage {ident.stage}{part} attempt {ident.attempt} turn {ident.turn}]"


SHARED: dict[str, MakeRequest] = {
    "send": send,
    "again": again,
    "pass_on_again": pass_on_again,
    "query_parts": query_parts,
    "join": join,
    "after_join": after_join,
    "complete": complete,
}
