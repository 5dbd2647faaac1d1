"""What tests ask of the emulator and no client of the service does: faults, counts, charges.

Owns `/_emulator/...`; needs no key, since the emulator listens on loopback.
"""

from __future__ import annotations

from dataclasses import asdict

from ..faults import Faults, InvalidFault
from .charges import Totals
from .errors import ServiceError, bad_request
from .exchange import Answer, Call, json_answer


def answer(call: Call, faults: Faults, totals: Totals) -> Answer:
    """Raises ServiceError for an unknown path, method or fault."""
    what = call.method, "/".join(call.segments[1:])
    if what == ("GET", "faults"):
        return json_answer(200, [asdict(fault) for fault in faults.armed])
    if what == ("POST", "faults"):
        return _armed(call, faults)
    if what == ("DELETE", "faults"):
        faults.clear()
        return Answer(204)
    if call.method == "DELETE" and call.segments[1:2] == ["faults"]:
        return _disarmed("/".join(call.segments[2:]), faults)
    if what == ("GET", "counts"):
        return json_answer(200, faults.counts)
    if what == ("GET", "charges"):
        return json_answer(200, totals.report())
    if what == ("DELETE", "charges"):
        totals.clear()
        return Answer(204)
    raise ServiceError(404, f"{what[0]} /_emulator/{what[1]} is unknown.")


def _disarmed(fault_id: str, faults: Faults) -> Answer:
    if not faults.disarm(fault_id):
        raise ServiceError(404, f"There is no fault {fault_id!r}.")
    return Answer(204)


def _armed(call: Call, faults: Faults) -> Answer:
    call.decode()
    if not isinstance(call.body, dict):
        raise bad_request("A fault is a JSON object.")
    try:
        fault = faults.arm(call.body)
    except (InvalidFault, TypeError) as cause:
        raise bad_request(str(cause)) from cause
    return json_answer(201, asdict(fault))
