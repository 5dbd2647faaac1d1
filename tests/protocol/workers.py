"""The requests of a worker, in the order of `services/worker/{begin,settle,runner}.py`; a watcher's are alike.

What a process does by itself is one step with the request that follows.
"""

from __future__ import annotations

from tests.protocol import broker
from tests.protocol.concrete import Violation
from tests.protocol.state import NOBODY, WHOLE, Ident, Message, Record, Request, State, idle, instead, then, with_actor
from tests.protocol.world import MakeRequest, Outcomes, World, words

GIVING_UP: dict[str, tuple[Request, ...]] = {"fail": (("fail_as_read",),), "finish part": (("count_part",),)}
"""What gives up a job or a part that is not run; what the watcher keeps before touches nothing that is searched."""


def receive(world: World, state: State, i: int, message: Message) -> Outcomes:
    """A delivery. `Beginner.begin` tries the take without reading if it is the first of a stage of the whole job."""
    first = message.deliveries == 0 and message.ident.part == WHOLE and not world.product.over_limit(message.ident, 0)
    held = broker.hand_out(state, i, message)
    yield f"receives #{message.number} {words(message.ident)}", instead(held, i, ("take_unread" if first else "read",))


def take_letter(world: World, state: State, i: int, message: Message) -> Outcomes:
    """The watcher's delivery of a dead letter."""
    held = broker.hand_out(state, i, message)
    yield f"takes the dead letter #{message.number} {words(message.ident)}", instead(held, i, ("read",))


def take_unread(world: World, state: State, i: int) -> Outcomes:
    """`Beginner._take_unread`."""
    actor = state.actors[i]
    taken = world.write(state, i, "take_unread", actor.ident, actor.number)
    if taken:
        yield "takes the job unread", _taken(world, taken, i)
    else:
        yield "take refused", instead(state, i, ("read",))


def read(world: World, state: State, i: int) -> Outcomes:
    """`Records.read`, and what `Beginner.begin` makes of it; of a part, its item is read next."""
    record, ident = state.record, state.actors[i].ident
    if ident.part != WHOLE and record and not record.ended:
        as_read = record._replace(done=0, due="never", runner=NOBODY)
        yield "reads the record", instead(state, i, ("look_for_part", as_read))
    else:
        yield from _decided(world, state, i, record, part_done=False)


def look_for_part(world: World, state: State, i: int, record: Record) -> Outcomes:
    """`Beginner._part_done`. The id of a part's item names the stage; there is one stage in parts here."""
    ident = state.actors[i].ident
    done = world.product.fans_out(ident.stage) and bool(state.items >> ident.part & 1)
    yield from _decided(world, state, i, record, part_done=done)


def _decided(world: World, state: State, i: int, record: Record | None, *, part_done: bool) -> Outcomes:
    """`Beginner._carry_out`."""
    actor = state.actors[i]
    own = record is not None and record.runner == actor.number
    ask = world.product.judge_letter if actor.kind == "watcher" else world.product.begin
    verdict = ask(record, actor.ident, own, actor.deliveries, part_done)
    state = with_actor(state, i, actor._replace(fresh=verdict in ("take", "give up") and actor.ident.part == WHOLE))
    giving_up = GIVING_UP[world.product.settle(actor.ident, actor.deliveries, "died")[0]]
    plans: dict[str, tuple[Request, ...]] = {
        "complete": (("complete",),),
        "announce": (("again",), ("complete",)),
        "pass on": (("pass_on_again",), ("complete",)),
        "give up": (*giving_up, ("complete",)),
        "run part": (("work",),),
        "take": (("take",),),
    }
    yield f"reads: {verdict}", instead(state, i, *plans[verdict])


def take(world: World, state: State, i: int) -> Outcomes:
    """`Beginner._take`."""
    taken = world.write(state, i, "take", state.actors[i].number)
    if taken:
        yield "takes the job", _taken(world, taken, i)
    else:
        yield "take refused", instead(state, i, ("renew",))


def _taken(world: World, state: State, i: int) -> State:
    """Process `i` is the runner now: its token is in the record, and nobody else's."""
    actor = state.actors[i]
    if world.product.over_limit(actor.ident, actor.deliveries):
        raise Violation("S9 a delivery over the limit is run")
    actors = [other._replace(owns=False) if other.owns else other for other in state.actors]
    actors[i] = actor._replace(owns=True, plan=(("work",),))
    return state._replace(actors=tuple(actors))


def renew(world: World, state: State, i: int) -> Outcomes:
    """`Runner._ended` after a refused write: renew the lease and begin again."""
    if state.actors[i].lease:
        yield "renews its lease", instead(state, i, ("read",))
    else:
        yield "cannot renew its lease: stops", idle(state, i)


def work(world: World, state: State, i: int) -> Outcomes:
    """The handler, however it ends, and `Runner._settle`: the first request of the settlement."""
    actor, product = state.actors[i], world.product
    ident, last = actor.ident, product.is_last(actor.ident.stage)
    if last and state.record and not state.record.ended and state.items != world.scenario.all_parts:
        raise Violation("S5 the last stage runs while a part is missing")
    result = "result" if last or ident.part != WHOLE else "moved on"
    yield "its handler returns", _settling(world, state, i, result)
    if state.failures:
        failed = state._replace(failures=state.failures - 1)
        yield "its handler fails", _settling(world, failed, i, "failed")
        yield "its handler refuses the file", _settling(world, failed, i, "refused")
    if state.drains:
        stopped = state._replace(drains=state.drains - 1)
        yield f"its stage is {world.scenario.put_back_as}", _settling(world, stopped, i, world.scenario.put_back_as)


def _settling(world: World, state: State, i: int, outcome: str) -> State:
    """`Settler.settle`: the plan that ends the delivery."""
    actor = state.actors[i]
    settlement, what = world.product.settle(actor.ident, actor.deliveries, outcome)
    match settlement:
        case "succeed":
            kept_in = world.scenario.result
            store: tuple[Request, ...] = (("put_result",),) if kept_in == "blob" else ()
            plan = (*store, ("succeed", kept_in))
        case "put back":
            plan = (("put_back", what),) if actor.ident.part == WHOLE else _part_put_back(world, what)
        case "advance":
            plan = (("advance", what),)
        case "fail":
            plan = (("fail",),)
        case _:
            plan = (("count_part",),)
    return instead(state, i, *plan, ("complete",))


def _part_put_back(world: World, put_back: tuple[Ident, bool]) -> tuple[Request, ...]:
    """`Settler._note_part`: its first request."""
    copy, due = put_back
    if "parts-leave-record" in world.off:
        return (("put_back", put_back),)
    if "beat" in world.off:
        return (("send", copy, due),)
    return (("postpone", copy),) if due else (("touch_part", copy, due),)


def put_back(world: World, state: State, i: int, put_back: tuple[Ident, bool]) -> Outcomes:
    """`Settler._put_back` of a stage of the whole job."""
    copy, due = put_back
    name = "retry" if due else "hand_back"
    write = world.write_as_runner if copy.part == WHOLE else world.write
    written = write(state, i, name, copy)
    if written:
        yield f"writes queued, attempt {copy.attempt}, turn {copy.turn}", then(written, i, ("send", copy, due))
    else:
        yield "putting back is refused", instead(state, i, ("renew",))


def postpone(world: World, state: State, i: int, copy: Ident) -> Outcomes:
    """`Settler._note_part` with a due time."""
    written = world.write(state, i, "postpone")
    if written:
        yield "notes the due time", then(written, i, ("send", copy, True))
    else:
        yield "due time refused", then(state, i, ("touch_part", copy, True))


def touch_part(world: World, state: State, i: int, copy: Ident, due: bool) -> Outcomes:
    """`Settler._note_part` without one, or after a later one."""
    written = world.write(state, i, "touch")
    if written:
        yield "touches the record", then(written, i, ("send", copy, due))
    else:
        yield "touch refused: sends nothing", then(state, i)


def put_result(world: World, state: State, i: int) -> Outcomes:
    """`Settler._succeed_with_blob`: the blob first, under a name of its own."""
    named = "random-result" in world.off and state.result
    if named:
        raise Violation("S2 the result is replaced after the end")
    actor = state.actors[i]._replace(blob="stored")
    yield "stores the result", then(with_actor(state, i, actor), i)


def succeed(world: World, state: State, i: int, kept_in: str) -> Outcomes:
    """`Settler._succeed_with_item`, one batch, or the second half of `_succeed_with_blob`."""
    written = world.write_as_runner(state, i, "succeed", kept_in)
    if written is None:
        look = (("check_result",),) if kept_in == "blob" else ()
        yield "writing succeeded is refused", instead(state, i, *look, ("renew",))
        return
    if kept_in == "blob":
        written = with_actor(written, i, written.actors[i]._replace(blob="named"))._replace(result=True)
    yield "writes succeeded", then(written, i)


def check_result(world: World, state: State, i: int) -> Outcomes:
    """`Settler._names`, and the delete unless the refused write was its own."""
    actor = state.actors[i]
    named = actor.blob == "named" or ("random-result" in world.off and state.result)
    if named and "keep-named-result" not in world.off:
        yield "reads the record: it names its result", then(state, i)
        return
    gone = with_actor(state, i, actor._replace(blob=""))
    yield "deletes its result", then(gone._replace(result=state.result and not named), i)


def advance(world: World, state: State, i: int, following: tuple[int, int]) -> Outcomes:
    """`Settler._advance`."""
    written = world.write_as_runner(state, i, "advance", *following)
    if written and written.record:
        yield "writes the next stage", then(written, i, *world.announcing(written.record))
    else:
        yield "writing the next stage is refused", instead(state, i, ("renew",))


def fail(world: World, state: State, i: int) -> Outcomes:
    """`Settler._fail` by the runner."""
    yield from _failed(world, state, i, world.write_as_runner(state, i, "fail"))


def fail_as_read(world: World, state: State, i: int) -> Outcomes:
    """`Settler._fail` by who gave the job up, as it was judged."""
    yield from _failed(world, state, i, world.write(state, i, "fail_as_read"))


def _failed(world: World, state: State, i: int, written: State | None) -> Outcomes:
    record, mine = state.record, state.actors[i].number
    if written is None or record is None:
        yield "failing the job is refused", instead(state, i, ("renew",))
        return
    if any(a.kind == "worker" and a.lease and a.number == record.runner != mine for a in state.actors):
        raise Violation("S7 failed while a healthy runner holds another delivery")
    yield "writes failed", then(written, i)


def count_part(world: World, state: State, i: int) -> Outcomes:
    """`Settler._finish_part`: one batch creates the part's item and counts it."""
    ident = state.actors[i].ident
    exists = bool(state.items >> ident.part & 1)
    written = None if exists else world.write(state, i, "count_part", ident)
    if written and written.record:
        counted = written._replace(items=state.items | 1 << ident.part)
        yield f"part {ident.part} is done", then(counted, i, *world.passing_on(written.record, ident))
    else:
        why = "its item exists" if exists else "its condition"
        yield f"finishing part {ident.part} is refused ({why})", instead(state, i, ("renew",))


WORKERS: dict[str, MakeRequest] = {
    "take_unread": take_unread,
    "read": read,
    "look_for_part": look_for_part,
    "take": take,
    "renew": renew,
    "put_back": put_back,
    "postpone": postpone,
    "touch_part": touch_part,
    "put_result": put_result,
    "succeed": succeed,
    "check_result": check_result,
    "advance": advance,
    "fail": fail,
    "fail_as_read": fail_as_read,
    "count_part": count_part,
}
