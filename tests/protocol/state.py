"""What a state of the world is: one job's record, its messages, its blobs, and the processes at work on it. Pure.

A state is a tuple, and a transition makes a new one. Nothing here knows what a process does next.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

WHOLE = -1
"""Part number of a message for a stage of the whole job."""
NOBODY = 0
"""Number of no message: the record has no runner."""
GONE = -1
"""Number of a runner's message that is off the queue: it is like no other."""

Due = Literal["never", "past", "ahead"]
Place = Literal["dead", "later", "queue"]

TERMINAL = frozenset({"succeeded", "failed", "cancelled"})
ERASED = "erased"


class Ident(NamedTuple):
    """What a message says, which is also its id."""

    epoch: int
    stage: int
    part: int = WHOLE
    attempt: int = 1
    turn: int = 0


NOTHING = Ident(0, 0)
"""What a process was delivered that has no delivery."""


class Message(NamedTuple):
    """One message of the queue, of its dead letters, or scheduled."""

    place: Place
    ident: Ident
    deliveries: int
    """Earlier ones."""
    late: bool
    """Sent after the rescuer's patience with the record had run out."""
    number: int
    """Sequence number."""


class Record(NamedTuple):
    """The job item, in short. Times are in `State`, but for what is due."""

    status: str
    epoch: int
    stage: int
    attempt: int
    turn: int
    runner: int
    """Number of the runner's message."""
    done: int
    """The counter; the items themselves are in `State`."""
    total: int
    due: Due
    end: Literal["", "blob", "item", "problem"]
    """Where the record says that the result is, or that the job failed."""

    @property
    def ended(self) -> bool:
        """Whether no message can move the job any more."""
        return self.status in TERMINAL or self.status == ERASED


Request = tuple[Any, ...]
"""The name of a request and its arguments; `requests.REQUESTS` has the functions."""


class Actor(NamedTuple):
    """A process that is at work on the job, or idle."""

    kind: str
    plan: tuple[Request, ...] = ()
    """Requests that are still to be made; empty: idle."""
    ident: Ident = NOTHING
    number: int = NOBODY
    deliveries: int = 0
    lease: bool = False
    """It holds the delivery's lock; without it, it is a zombie which does not know yet."""
    fresh: bool = False
    """The etag that it read is still the record's."""
    owns: bool = False
    """The runner's token in the record is its own."""
    blob: Literal["", "stored", "named"] = ""
    """The blob that it wrote: an upload or a result; `named` by the record."""


class State(NamedTuple):
    """The world between two requests."""

    record: Record | None
    items: int
    """Part items, a bit for each."""
    messages: tuple[Message, ...]
    seen: frozenset[Ident]
    """Ids in the broker's duplicate window."""
    actors: tuple[Actor, ...]
    faults: int
    """How many may still happen; likewise drains and failures of a stage."""
    drains: int
    failures: int
    rescues: int = 0
    """Done so far."""
    epochs: int = 0
    """Handed out: they are random, here distinct."""
    impatient: bool = False
    """The record has not moved for the rescuer's patience."""
    upload: bool = False
    """The upload that the record names is stored."""
    result: bool = False
    """The result's blob that the record names is stored."""
    leftovers: bool = False
    """There is a blob that neither the record nor anybody at work knows."""
    promised: bool = False
    """A 202 was given."""
    numbers: int = 0
    """Sequence numbers handed out."""


def with_actor(state: State, i: int, actor: Actor) -> State:
    """The state in which process `i` is as given."""
    actors = state.actors
    return state._replace(actors=(*actors[:i], actor, *actors[i + 1 :]))


def idle(state: State, i: int) -> State:
    """Process `i` forgets its delivery and what it read. A blob that the record does not name is left over."""
    actor = state.actors[i]
    if actor.blob == "stored":
        state = state._replace(leftovers=True)
    return with_actor(state, i, Actor(actor.kind))


def then(state: State, i: int, *requests: Request) -> State:
    """Process `i` has made its request, and makes these before the rest of its plan."""
    actor = state.actors[i]
    plan = (*requests, *actor.plan[1:])
    return with_actor(state, i, actor._replace(plan=plan)) if plan else idle(state, i)


def instead(state: State, i: int, *requests: Request) -> State:
    """Process `i` drops its plan for this one."""
    return with_actor(state, i, state.actors[i]._replace(plan=requests)) if requests else idle(state, i)


def canonical(state: State) -> State:
    """The same world for whatever comes next: its processes and messages in order, and numbers made anew.

    Two workers are alike, and so are two copies of a message; a number matters only while its message is there.
    """
    record = state.record
    runner = record.runner if record else NOBODY
    messages = state.messages
    if len(messages) > 1:
        leased = {actor.number for actor in state.actors if actor.lease}
        messages = tuple(sorted(messages, key=lambda m: (m[:4], m.number == runner, m.number in leased)))
    numbers = {message.number: n for n, message in enumerate(messages, 1)}
    if any(number != n for number, n in numbers.items()):
        messages = tuple([message._replace(number=n) for n, message in enumerate(messages, 1)])
    if record and runner > 0 and numbers.get(runner) != runner:
        record = record._replace(runner=numbers.get(runner, GONE))
    actors = [_renumbered(actor, numbers) if actor.number else actor for actor in state.actors]
    actors.sort()
    return state._replace(record=record, messages=messages, actors=tuple(actors), numbers=len(messages))


def _renumbered(actor: Actor, numbers: dict[int, int]) -> Actor:
    number = numbers.get(actor.number, NOBODY)
    return actor if number == actor.number else actor._replace(number=number)
