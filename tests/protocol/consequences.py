"""What follows at once from a state, whatever else may happen: the search need not try it in every order. Pure."""

from __future__ import annotations

from tests.protocol.state import WHOLE, Ident, Message, Record, State, idle
from tests.protocol.transitions import LEASED
from tests.protocol.world import World


def settle_down(world: World, state: State) -> State:
    """The state without what has only one way to go on, and that without effect on anything but itself."""
    for i, actor in enumerate(state.actors):
        if not actor.plan:
            continue
        request = actor.plan[0][0]
        if request == "answer":
            # An answer that is given earlier promises more, so that a search finds no less.
            state = idle(state._replace(promised=True), i)
        elif request == "complete" and actor.kind in LEASED and not actor.lease:
            state = idle(state, i)
    record = state.record
    if record and record.ended and state.messages:
        left = tuple([message for message in state.messages if not _only_completed(world, state, message)])
        if len(left) < len(state.messages):
            state = state._replace(messages=left)
    if state.seen and (record is None or record.ended or not any(actor.plan for actor in state.actors)):
        state = state._replace(seen=_may_come_again(record, state.seen))
    if state.leftovers and "erase" not in world.scenario.actors:
        state = state._replace(leftovers=False)  # The sweep's, and no concern of anybody else's.
    return state


def _only_completed(world: World, state: State, message: Message) -> bool:
    """Whether whoever takes this message of an ended job will complete it, and nothing else."""
    if any(actor.lease and actor.number == message.number for actor in state.actors):
        return False
    ask = world.product.judge_letter if message.place == "dead" else world.product.begin
    return ask(state.record, message.ident, False, message.deliveries, False) == "complete"


def _may_come_again(record: Record | None, seen: frozenset[Ident]) -> frozenset[Ident]:
    """Of the ids in the window, those which may be sent again while nobody is at work: the record never goes back."""
    if record is None or record.ended:
        return frozenset()
    here, now = (record.epoch, record.stage), (record.attempt, record.turn)
    return frozenset(m for m in seen if m[:2] == here and (m.part != WHOLE or m[3:] >= now))
