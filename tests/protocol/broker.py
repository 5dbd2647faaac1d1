"""What the broker does with messages: duplicate detection, locks, delivery counts, dead letters, scheduling. Pure.

The order of the queue is left open: any free message may be handed out next, which is more than Service Bus does. So a
lock may as well run out in the moment its holder dies: whoever would have waited for it may be slow.
"""

from __future__ import annotations

from tests.protocol.state import NOBODY, Actor, Ident, Message, Place, Request, State, with_actor

SENDS = ("send", "first_send", "second_send")
"""Requests to send a message; the last argument: later, at its due time."""


def send(state: State, ident: Ident, *, later: bool, dedupe: bool) -> State:
    """The message on the queue, or scheduled; nothing if its id is in the duplicate window."""
    if ident in state.seen:
        return state
    number = state.numbers + 1
    message = Message("later" if later else "queue", ident, 0, state.impatient, number)
    seen = state.seen | {ident} if dedupe else state.seen
    return state._replace(messages=(*state.messages, message), seen=seen, numbers=number)


def free(state: State, place: Place) -> list[Message]:
    """What may be handed out; of copies that are alike, one. The runner's own is like no other."""
    leased = {actor.number for actor in state.actors if actor.lease}
    runner = state.record.runner if state.record else NOBODY
    found = [m for m in state.messages if m.place == place and m.number not in leased]
    return list({(m[:4], m.number == runner): m for m in found}.values()) if len(found) > 1 else found


def hand_out(state: State, i: int, message: Message) -> State:
    """Process `i` has the message, and its lock."""
    kind = state.actors[i].kind
    return with_actor(
        state, i, Actor(kind, ident=message.ident, number=message.number, deliveries=message.deliveries, lease=True)
    )


def settled(state: State, i: int) -> State:
    """The message that process `i` holds is gone; nothing happens without the lock."""
    actor = state.actors[i]
    if not actor.lease:
        return state
    return without(with_actor(state, i, actor._replace(lease=False)), actor.number)


def without(state: State, number: int) -> State:
    """The message is gone from wherever it is."""
    return state._replace(messages=tuple([message for message in state.messages if message.number != number]))


def lock_ended(state: State, i: int, *, max_delivery: int) -> State:
    """The message that process `i` holds goes back to the queue, or to the dead letters if that was once too often."""
    actor = state.actors[i]
    messages = []
    for message in state.messages:
        if message.number == actor.number:
            dead = message.place == "dead" or message.deliveries + 1 >= max_delivery
            message = message._replace(place="dead" if dead else "queue", deliveries=message.deliveries + 1)
        messages.append(message)
    return with_actor(state._replace(messages=tuple(messages)), i, actor._replace(lease=False))


def due_time_comes(state: State) -> State:
    """What is scheduled is active, under a new number; what is about to be scheduled will be active at once."""
    messages, numbers = [], state.numbers
    for message in state.messages:
        if message.place == "later":
            numbers += 1
            message = message._replace(place="queue", number=numbers)
        messages.append(message._replace(late=False))
    actors = tuple([actor._replace(plan=tuple([_at_once(r) for r in actor.plan])) for actor in state.actors])
    record = state.record
    if record and record.due == "ahead":
        record = record._replace(due="past")
    return state._replace(record=record, messages=tuple(messages), actors=actors, numbers=numbers, impatient=False)


def _at_once(request: Request) -> Request:
    return (*request[:-1], False) if request[0] in SENDS else request
