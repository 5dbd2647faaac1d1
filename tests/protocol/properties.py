"""What must hold: in every state, and where nothing but a fault could happen any more. Pure.

Two kinds more are raised where they are broken (`Violation`): a write that must not be, and work that must not be done.

| | |
|---|---|
| S1 | terminal is final |
| S2 | a result stays what and where the record says |
| S3 | the record of a 202 stays |
| S4 | no writes by a stale owner |
| S5 | the last stage runs when every part is done |
| S6 | erased is erased |
| S7 | no job fails without cause, or under a healthy runner |
| S8 | a live job has its upload |
| S9 | a delivery over the limit is not run |
| S10 | a fan-out's counter is the number of its part items |
| L1 | every job comes to its end, and every message |
| L3 | no rescue without a fault, and nothing goes round for ever |
"""

from __future__ import annotations

from tests.protocol.scenarios import Scenario
from tests.protocol.state import ERASED, State


def broken_in(scenario: Scenario, state: State) -> str | None:
    """The property that the state breaks."""
    record = state.record
    if state.rescues > scenario.faults - state.faults:
        return "L3 rescued more often than faults happened"
    if record is None:
        return "S3 the record of a 202 is gone" if state.promised else None
    if record.status in ("queued", "running"):
        if not state.upload:
            return "S8 a live job's upload is gone"
        if record.total and record.done != state.items.bit_count():
            return "S10 the counter is not the number of part items"
    elif record.end == "blob" and not state.result:
        return "S2 succeeded, but its result is gone"
    elif record.status == "failed" and not scenario.may_fail:
        return "S7 failed without cause"
    return None


def broken_at_rest(scenario: Scenario, state: State) -> str | None:
    """The property that a state breaks in which nothing but a fault can happen any more."""
    record = state.record
    if record is None:
        return None
    if not record.ended and (state.promised or "rescuer" in scenario.actors):
        return "L1 stuck: nothing will ever move this job"
    if record.status == ERASED and state.leftovers:
        return "S6 erased, but content is left"
    if record.ended and state.messages:
        return "L1 a message is left for ever"
    return None
