"""Stories whose victim is a worker: everything that can become of a delivery."""

from __future__ import annotations

import signal
from typing import Any

from claimcheck.job import Status
from tests.faults.crash_points.lane import WORKER, Lane
from tests.faults.crash_points.story import Case, Story


class Deliver(Story):
    """A job is run to its end."""

    victim = WORKER

    def __init__(self, name: str, status: Status = Status.SUCCEEDED, *, attempt: int = 1, **submitted: Any) -> None:
        super().__init__(name)
        self._status, self._attempt, self._submitted = status, attempt, submitted

    def prepare(self, lane: Lane) -> Case:
        return Case(job_id=lane.client.submit(**self._submitted))

    def play(self, lane: Lane, case: Case) -> None:
        lane.until(lambda: "ended_at" in lane.job(case.job_id) and lane.is_empty(), f"job {case.job_id} ends")

    def finish(self, lane: Lane, case: Case) -> None:
        job = lane.ends(case.job_id, self._status)
        assert job["attempt"] == self._attempt, job


class Fan(Deliver):
    """A job of parts is run to its end."""

    def __init__(self, name: str, *, done: dict[int, int], skipped: tuple[int, ...] = (), **options: Any) -> None:
        """`done`: the parts that end well, each with its attempt."""
        super().__init__(name, task="fan", options={**options, "parts": len(done) + len(skipped)})
        self._done, self._skipped = done, skipped

    def finish(self, lane: Lane, case: Case) -> None:
        super().finish(lane, case)
        result = lane.job(case.job_id)["result"]
        assert result["parts"] == [{"part": part, "attempt": attempt} for part, attempt in self._done.items()]
        assert [warning["part"] for warning in result["warnings"]] == list(self._skipped)
        parts = [item["part"] for item in lane.stores.items("part") if item["job_id"] == case.job_id]
        assert sorted(parts) == sorted([*self._done, *self._skipped])


class Drain(Deliver):
    """A worker is told to stop while it runs a job that does not end in time."""

    def play(self, lane: Lane, case: Case) -> None:
        lane.until(lambda: lane.job(case.job_id)["status"] == "running", f"job {case.job_id} runs")
        worker = lane.system.programs[WORKER].process
        assert worker is not None
        worker.send_signal(signal.SIGTERM)
        lane.until(lambda: not lane.victim_runs, "the worker has drained")
        lane.system.programs[WORKER].process = None


class CancelRunning(Deliver):
    """A running job is cancelled, and its worker notices."""

    def play(self, lane: Lane, case: Case) -> None:
        lane.until(lambda: lane.job(case.job_id)["status"] == "running", f"job {case.job_id} runs")
        assert lane.client.cancel(case.job_id).is_success
        lane.until(lane.is_empty, "the worker has noticed")

    def finish(self, lane: Lane, case: Case) -> None:
        assert lane.client.cancel(case.job_id).is_success
        super().finish(lane, case)


class Poison(Story):
    """A message that nobody can decode is parked."""

    victim = WORKER

    def prepare(self, lane: Lane) -> Case:
        case = Case()
        lane.stores.send({case.key: case.key.encode()})
        return case

    def play(self, lane: Lane, case: Case) -> None:
        lane.until(lambda: lane.counts()["dead_lettered"] == 1, "the message is parked")

    def finish(self, lane: Lane, case: Case) -> None:
        self.play(lane, case)
        counts = lane.counts()
        assert (counts["active"], counts["locked"]) == (0, 0)
        assert lane.by_hand.take_off_letters() == [case.key.encode()]


STORIES: list[Story] = [
    Deliver("result in an item", options={"do": "read"}),
    Deliver("result in a blob", options={"result_bytes": 300_000}),
    Deliver("retry", options={"do": "fail-once"}, attempt=2),
    Deliver("permanent failure", Status.FAILED, options={"do": "refuse"}),
    Drain("drain", options={"seconds": 6}),
    CancelRunning("cancel while running", Status.CANCELLED, options={"seconds": 30}),
    Fan("fan-out", done={0: 1, 1: 1, 2: 1}),
    Fan("fan-out with trouble", done={0: 2}, skipped=(1,), refuse=[1], fail_once=[0]),
    Poison("undecodable message"),
]
