"""The requests of the two APIs, in the order of `services/process_api/{accept,ending}.py`."""

from __future__ import annotations

from tests.protocol import broker
from tests.protocol.state import ERASED, NOBODY, Actor, Ident, Record, Request, State, idle, instead, then, with_actor
from tests.protocol.world import MakeRequest, Outcomes, World, moved, words

ACCEPT: tuple[Request, ...] = (("store",), ("create",))
CANCEL: tuple[Request, ...] = (("cancel",),)
ERASE: tuple[Request, ...] = (("bury",), ("wipe",))


def store(world: World, state: State, i: int) -> Outcomes:
    """The upload, streamed to a blob of its own before `Intake.accept`."""
    yield "stores its upload", then(with_actor(state, i, state.actors[i]._replace(blob="stored")), i)


def create(world: World, state: State, i: int) -> Outcomes:
    """`Intake._create`, and `_queued` if it was this one that created."""
    if state.record is not None:
        yield "finds the record there", instead(state, i, ("join_job",))
        return
    record = world.scenario.accepted(state.epochs + 1)
    created = moved(state, record)._replace(epochs=record.epoch, upload=True, items=world.scenario.reused)
    created = with_actor(created, i, state.actors[i]._replace(blob="named", fresh=True))
    yield "creates the record", instead(created, i, *_sending(world, record, "first_send"), ("answer",))


def first_send(world: World, state: State, i: int, ident: Ident, later: bool) -> Outcomes:
    """`Intake._queued`: the creator sends; if that is certainly refused, it takes its job back."""
    yield _sent(world, state, i, ident, later)
    if state.faults:
        refused = state._replace(faults=state.faults - 1)
        yield "has its message refused", instead(refused, i, ("undo_record",))


def undo_record(world: World, state: State, i: int) -> Outcomes:
    """`Intake._undo`: delete what it created, by its own etag. Missing: it did so, and the answer was lost."""
    actor = state.actors[i]
    if state.record is None:
        yield "finds its record gone", instead(state, i, ("drop_upload",))
    elif not actor.fresh:
        yield "its record has been written since: leaves it, answers 503", idle(state, i)
    else:
        undone = with_actor(state, i, actor._replace(blob="stored", fresh=False))
        yield (
            "deletes its record",
            instead(undone._replace(record=None, upload=False, impatient=False), i, ("drop_upload",)),
        )


def join_job(world: World, state: State, i: int) -> Outcomes:
    """`Intake._joined`: the record that is there already, perhaps by its own create, whose answer was lost."""
    record, own = state.record, state.actors[i].blob == "named"
    if record is None:
        yield "reads: taken back by its creator", instead(state, i, ("create",))
        return
    drop: tuple[Request, ...] = () if own and "keep-named-upload" not in world.off else (("drop_upload",),)
    if record.status == ERASED:
        yield "reads: erased, answers 409", instead(state, i, ("drop_upload",))
    elif record.status != "queued":
        yield f"reads: {record.status}", instead(state, i, *drop, ("answer",))
    elif "touch" in world.off:
        yield "reads: queued", instead(state, i, *_sending(world, record, "second_send"), *drop, ("answer",))
    else:
        judged = with_actor(state, i, state.actors[i]._replace(fresh=True))
        yield "reads: queued", instead(judged, i, ("touch_as_read",), *drop, ("answer",))


def touch_as_read(world: World, state: State, i: int) -> Outcomes:
    """`Intake._announced`."""
    touched = world.write(state, i, "touch_as_read")
    if touched and touched.record:
        yield "touches the record", then(touched, i, *_sending(world, touched.record, "second_send"))
    else:
        yield "touch refused: begins again", instead(state, i, ("create",))


def _sending(world: World, record: Record, name: str) -> tuple[Request, ...]:
    """What announces the record; its sends under the name that says what follows if one is refused."""
    return tuple((name, *request[1:]) if request[0] == "send" else request for request in world.announcing(record))


def second_send(world: World, state: State, i: int, ident: Ident, later: bool) -> Outcomes:
    """`Intake._announced`; a refusal leaves the job to whoever created it."""
    yield _sent(world, state, i, ident, later)
    if state.faults:
        refused = state._replace(faults=state.faults - 1)
        own = state.actors[i].blob == "named"
        yield "has its message refused", instead(refused, i, *(() if own else (("drop_upload",),)))


def _sent(world: World, state: State, i: int, ident: Ident, later: bool) -> tuple[str, State]:
    sent = broker.send(state, ident, later=later, dedupe=world.scenario.dedupe)
    fate = "dropped as a duplicate" if sent is state else f"#{sent.numbers}"
    return f"sends {words(ident)}: {fate}", then(sent, i)


def drop_upload(world: World, state: State, i: int) -> Outcomes:
    """`Intake._drop`."""
    actor = state.actors[i]
    dropped = with_actor(state, i, actor._replace(blob=""))
    yield "deletes its upload", then(dropped._replace(upload=state.upload and actor.blob != "named"), i)


def answer(world: World, state: State, i: int) -> Outcomes:
    """The 202."""
    yield "answers 202", idle(state._replace(promised=True), i)


def cancel(world: World, state: State, i: int) -> Outcomes:
    """`Endings.cancel`."""
    cancelled = world.write(state, i, "cancel")
    yield ("cancels the job", idle(cancelled, i)) if cancelled else ("cancel refused", idle(state, i))


def bury(world: World, state: State, i: int) -> Outcomes:
    """`Endings._bury`, which reads and writes until nobody writes in between."""
    erased = Record(ERASED, 0, 0, 0, 0, NOBODY, 0, 0, "never", "")
    buried = moved(state, erased)
    actors = tuple([a._replace(blob="stored") if a.blob == "named" else a for a in buried.actors])
    named = not any(a.blob == "named" for a in state.actors) and (state.upload or state.result)
    left = state.leftovers or named
    yield (
        "puts a tombstone in the record's place",
        then(buried._replace(actors=actors, items=0, upload=False, result=False, leftovers=left), i),
    )


def wipe(world: World, state: State, i: int) -> Outcomes:
    """`erase_content`. What is stored while it goes through the folders is the second erase's."""
    yield "deletes the blobs", then(_wiped(state), i)


def second_erase(state: State) -> State:
    """`SecondErase.erase`, long after the last lease has run out."""
    return _wiped(state)


def _wiped(state: State) -> State:
    actors = tuple([a._replace(blob="") if a.blob else a for a in state.actors])
    return state._replace(actors=actors, leftovers=False)


def idle_actor(kind: str) -> Actor:
    """A process as it is at first."""
    plans = {"client": ACCEPT, "cancel": CANCEL, "erase": ERASE, "deadline": (("exceed_deadline",),)}
    return Actor(kind, plans.get(kind, ()))


CLIENTS: dict[str, MakeRequest] = {
    "store": store,
    "create": create,
    "first_send": first_send,
    "undo_record": undo_record,
    "join_job": join_job,
    "touch_as_read": touch_as_read,
    "second_send": second_send,
    "drop_upload": drop_upload,
    "answer": answer,
    "cancel": cancel,
    "bury": bury,
    "wipe": wipe,
}
