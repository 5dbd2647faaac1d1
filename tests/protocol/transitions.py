"""Every transition of a state: one request of one process, one fault, or time that passes. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from tests.protocol import broker
from tests.protocol.clients import CLIENTS, second_erase
from tests.protocol.keeper import KEEPER, look_for_forgotten
from tests.protocol.state import ERASED, NOBODY, WHOLE, State, idle, instead, with_actor
from tests.protocol.workers import WORKERS, receive, take_letter, work
from tests.protocol.world import SHARED, MakeRequest, Outcomes, World

Transition = tuple[str, State]
Transitions = Iterator[Transition]

REQUESTS: dict[str, MakeRequest] = {**SHARED, **WORKERS, **CLIENTS, **KEEPER}

MAY_BE_ASKED_AGAIN = frozenset(
    {
        *(
            "take",
            "take_unread",
            "put_back",
            "succeed",
            "advance",
            "fail",
            "fail_as_read",
            "count_part",
            "join",
            "rescue",
        ),
        *("send", "first_send", "second_send", "create", "touch_as_read", "undo_record"),
    }
)
"""Requests whose answer may be lost so that it matters: the SDK asks again, and the second answer is another."""

OUTSIDERS = ("cancel", "erase", "deadline")
"""They come once, when there is a record, and keep nobody from taking the job for forgotten."""

LEASED = ("worker", "watcher")
"""They work on a delivery, for as long as they hold its lock."""


def transitions(world: World, state: State) -> Transitions:
    """(what happens, the state after it). A fault leaves fewer faults, and is marked."""
    for label, after in _all(world, state):
        yield f"! {label}" if after.faults < state.faults else label, after


def _all(world: World, state: State) -> Transitions:
    idle_kinds = set()
    for i, actor in enumerate(state.actors):
        if actor.plan:
            if actor.kind in OUTSIDERS and state.record is None:
                continue
            outcomes = _at_work(world, state, i)
        elif actor.kind not in idle_kinds:  # Two that are idle are alike.
            idle_kinds.add(actor.kind)
            outcomes = _start(world, state, i)
        else:
            continue
        name = f"{actor.kind} {i}"
        for label, after in outcomes:
            yield f"{name}: {label}", after
    yield from _broker_and_clock(world, state)


def _start(world: World, state: State, i: int) -> Outcomes:
    """What an idle process may begin."""
    match state.actors[i].kind:
        case "worker":
            for message in broker.free(state, "queue"):
                yield from receive(world, state, i, message)
        case "watcher":
            for message in broker.free(state, "dead"):
                yield from take_letter(world, state, i, message)
        case "rescuer":
            yield from look_for_forgotten(world, state, i)


def _at_work(world: World, state: State, i: int) -> Outcomes:
    """The next request of a process, and what may befall it before."""
    actor = state.actors[i]
    if actor.plan[0][0] == "work":
        for outcome, settling in work(world, state, i):
            for label, after in _perform(world, settling, i):
                yield f"{outcome}; {label}", after
        yield from _heartbeat(world, state, i)
    else:
        yield from _perform(world, state, i)
    if actor.kind in LEASED and not actor.lease:
        # A zombie that dies does no more than one that notices.
        yield "notices that its lease is lost: stops", idle(state, i)
    elif state.faults:
        spent = _spent(state)
        if actor.lease:
            ended = broker.lock_ended(spent, i, max_delivery=world.scenario.max_delivery)
            yield "loses its lock", ended
            yield "dies", idle(ended, i)
        else:
            yield "dies", idle(spent, i)


def _perform(world: World, state: State, i: int) -> Outcomes:
    """The outcomes of the first request of the plan of process `i`."""
    actor = state.actors[i]
    name, *arguments = actor.plan[0]
    for label, after in REQUESTS[name](world, state, i, *arguments):
        yield label, after
        if name in MAY_BE_ASKED_AGAIN and state.faults and after.faults == state.faults and _committed(state, after):
            runs = after.record is not None and after.record.runner != NOBODY
            asks_again = actor._replace(
                fresh=actor.fresh and after.record is state.record,
                owns=actor.owns and runs,
                blob=after.actors[i].blob or actor.blob,
            )
            yield f"{label}, but the answer is lost: asks again", _spent(with_actor(after, i, asks_again))


def _committed(before: State, after: State) -> bool:
    return before.record is not after.record or before.messages is not after.messages


def _heartbeat(world: World, state: State, i: int) -> Outcomes:
    """`_Watch.check`, after the lease was renewed: shows that the stage runs, or finds that the job is not its own."""
    actor = state.actors[i]
    if not actor.lease:
        return
    beat = ("heartbeat",) if actor.ident.part == WHOLE else ("beat", actor.ident)
    beaten = world.write(state, i, *beat)
    if beaten is None:
        yield "finds that the job is not its own", instead(state, i, ("renew",))
    elif state.impatient:
        yield "shows that it is alive", beaten


def _broker_and_clock(world: World, state: State) -> Transitions:
    record = state.record
    if (record and record.due == "ahead") or any(message.place == "later" for message in state.messages):
        yield "the due time comes", broker.due_time_comes(state)
    if record and not record.ended and not state.impatient:
        yield from _patience(state)
    if state.faults and world.scenario.purges:
        for message in state.messages:
            yield f"#{message.number} is purged", _spent(_purged(state, message.number))
    if state.faults and state.seen:
        yield "the duplicate window ends", _spent(state._replace(seen=frozenset()))
    if record and record.status == ERASED and state.leftovers and not any(actor.plan for actor in state.actors):
        yield "the second erase comes", second_erase(state)


def _patience(state: State) -> Transitions:
    """The record does not move for as long as the rescuer waits: a fault only if somebody healthy is at work."""
    kinds = [actor.kind for actor in state.actors]
    if "rescuer" not in kinds:
        return
    healthy = any(a.plan and a.kind not in OUTSIDERS and (a.lease or a.kind not in LEASED) for a in state.actors)
    if not healthy:
        yield "the record has not moved for five locks", state._replace(impatient=True)
    elif state.faults:
        yield "the record has not moved for five locks", _spent(state)._replace(impatient=True)


def _purged(state: State, number: int) -> State:
    holder = next((i for i, actor in enumerate(state.actors) if actor.lease and actor.number == number), None)
    if holder is not None:
        state = with_actor(state, holder, state.actors[holder]._replace(lease=False))
    return broker.without(state, number)


def _spent(state: State) -> State:
    return state._replace(faults=state.faults - 1)
