"""The requests of the keeper's rescuer and of its deadlines; its watcher's are in `workers`, since they are a worker's.

The rescuer reads the candidates and then peeks. A write between the two refuses its own, so both are one step here.
"""

from __future__ import annotations

from tests.protocol.state import State, idle, instead, then, with_actor
from tests.protocol.world import MakeRequest, Outcomes, World


def look_for_forgotten(world: World, state: State, i: int) -> Outcomes:
    """`Lists.forgotten`, the peek, and `rescuing.needs_rescue`. A round that finds nothing changes nothing."""
    record = state.record
    if record is None or record.ended:
        return
    waiting = tuple(sorted({(m.place, m.late) for m in state.messages if m.place != "dead"}))
    if world.product.needs_rescue(record, state.impatient, waiting):
        judged = with_actor(state, i, state.actors[i]._replace(fresh=True))
        yield "finds that nobody will run the job", instead(judged, i, ("rescue",))


def rescue(world: World, state: State, i: int) -> Outcomes:
    """`writes.rescue`, and the announcement of the new epoch. Refused: the next round looks again."""
    epochs = state.epochs + 1
    rescued = world.write(state, i, "rescue", epochs)
    if rescued and rescued.record:
        announcing = world.announcing(rescued.record)
        rescued = rescued._replace(epochs=epochs, rescues=state.rescues + 1)
        yield f"rescues the job: epoch {epochs}", then(rescued, i, *announcing)
    else:
        yield "rescue refused", idle(state, i)


def exceed_deadline(world: World, state: State, i: int) -> Outcomes:
    """The write of a job past its deadline."""
    exceeded = world.write(state, i, "exceed_deadline")
    yield ("fails the overdue job", idle(exceeded, i)) if exceeded else ("failing it is refused", idle(state, i))


KEEPER: dict[str, MakeRequest] = {"rescue": rescue, "exceed_deadline": exceed_deadline}
