"""What must be true of a lane once everything has been played on it: each job ended once, and nothing is left over."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.faults.crash_points.lane import KEEPER, Lane

# The shortest age that the settings allow with these time limits, which the keeper itself does not use.
SWEEPING = {
    "CLAIMCHECK_KEEPER__SWEEP_S": "0.3",
    "CLAIMCHECK_KEEPER__FULL_SWEEP_S": "0.3",
    "CLAIMCHECK_KEEPER__ORPHAN_AGE_S": "3",
    "CLAIMCHECK_WEB__BLOCK_TIMEOUT_S": "0.1",
    "CLAIMCHECK_WEB__DEPENDENCY_TIMEOUT_S": "0.01",
}


def audit(lane: Lane) -> int:
    """Let a keeper sweep, then compare what is stored with what clients were told; the number of jobs."""
    assert not lane.faults(), "what a story armed may strike the next one, and whoever else uses the emulator"
    lane.cast(KEEPER)
    lane.system.programs[KEEPER].variables |= SWEEPING
    lane.start(KEEPER)
    jobs: dict[str, dict[str, Any]] = {job["job_id"]: job for job in lane.stores.items("job")}
    lane.until(lambda: sorted(lane.stores.blobs("")) == _named(jobs), "every blob has a name, and every name a blob")
    assert lane.is_empty()
    erased = {stone["job_id"] for stone in lane.stores.items("tombstone")}
    found = {job_id: job["status"] for job_id, job in jobs.items()} | dict.fromkeys(erased, "erased")
    assert found == lane.ending
    results = Counter(item["job_id"] for item in lane.stores.items("result"))
    assert results == Counter(job_id for job_id, job in jobs.items() if "item" in _result(job))
    assert not {part["job_id"] for part in lane.stores.items("part")} & erased
    return len(found)


def _result(job: dict[str, Any]) -> dict[str, Any]:
    """Where the job's result is; empty without one."""
    result: dict[str, Any] = (job["end"] or {}).get("result") or {}
    return {kind: name for kind, name in result.items() if name}


def _named(jobs: dict[str, dict[str, Any]]) -> list[str]:
    """The blobs that there must be."""
    results = [_result(job)["blob"] for job in jobs.values() if "blob" in _result(job)]
    return sorted([*(job["upload"]["blob"] for job in jobs.values()), *results])
