"""Stories whose victim is the process API: it accepts, takes back, cancels and erases."""

from __future__ import annotations

import httpx

from tests.faults.crash_points.lane import API, KEEPER, LONG_S, WORKER, Lane
from tests.faults.crash_points.story import Case, Story

READ = {"do": "read"}
BLOCKS = b"x" * 150_000  # Two full blocks and a rest.


class Accept(Story):
    """A job is handed in with a key; whoever got no answer sends the same again."""

    victim = API

    def __init__(self, name: str, content: bytes = b"the upload") -> None:
        super().__init__(name)
        self._content = content

    def play(self, lane: Lane, case: Case) -> None:
        assert self.send(lane, case).status_code == httpx.codes.ACCEPTED

    def finish(self, lane: Lane, case: Case) -> None:
        answer = lane.until(lambda: self._accepted(lane, case), f"job {case.job_id} is accepted")
        assert answer.json()["id"] == case.job_id
        job = lane.ends(case.job_id, "succeeded")
        assert job["attempt"] == 1
        assert job["result"]["text"] == self._content.decode()

    def send(self, lane: Lane, case: Case) -> httpx.Response:
        """Whatever is answered."""
        return lane.client.post(self._content, options=READ, headers=case.headers)

    def _accepted(self, lane: Lane, case: Case) -> httpx.Response | None:
        answer = self.send(lane, case)
        assert answer.status_code in (httpx.codes.ACCEPTED, httpx.codes.SERVICE_UNAVAILABLE), answer.text
        return answer if answer.status_code == httpx.codes.ACCEPTED else None


class AcceptWithoutKey(Story):
    """The same without a key: whoever got no answer was promised nothing."""

    victim = API

    def play(self, lane: Lane, case: Case) -> None:
        case.job_id = ""
        answer = lane.client.post(options=READ)
        assert answer.status_code == httpx.codes.ACCEPTED
        case.job_id = answer.json()["id"]

    def finish(self, lane: Lane, case: Case) -> None:
        if case.job_id:
            lane.ends(case.job_id, "succeeded")
            return
        # The job runs if its message was sent; one without a message is the rescuer's.
        lane.start(WORKER)
        lane.until(lane.is_empty, "no message is left")
        newest = lane.client.status.get("/v1/jobs", params={"limit": 1}).json()["jobs"]
        for job in (job for job in newest if job["id"] not in lane.ending):
            if job["status"] == "queued":
                lane.make_older(job["id"], LONG_S)
                lane.start(KEEPER)
            lane.ends(job["id"], "succeeded")


class Join(Accept):
    """A second request with the key of a job that waits."""

    def prepare(self, lane: Lane) -> Case:
        case = Case()
        assert self.send(lane, case).status_code == httpx.codes.ACCEPTED
        return case


class JoinForgotten(Accept):
    """A second request with the key of a job whose creator left it without a message."""

    def prepare(self, lane: Lane) -> Case:
        case = Case()
        # Through each sender's link once, and once anew.
        lane.fail_sends(times=2, error="drop")
        assert self.send(lane, case).status_code == httpx.codes.SERVICE_UNAVAILABLE
        assert lane.stores.record(case.job_id)["status"] == "queued"
        assert lane.is_empty()
        return case


class Refused(Accept):
    """The queue refuses the message, so the job is taken back; the same request comes again later."""

    def play(self, lane: Lane, case: Case) -> None:
        lane.fail_sends(times=1, error="com.microsoft:server-busy")
        assert self.send(lane, case).status_code == httpx.codes.SERVICE_UNAVAILABLE


class Cancel(Story):
    """A waiting job is cancelled."""

    victim = API

    def __init__(self, name: str, *, before: int = 0) -> None:
        """`before`: how often it has been cancelled already."""
        super().__init__(name)
        self._before = before

    def prepare(self, lane: Lane) -> Case:
        case = Case(job_id=lane.client.submit())
        for _ in range(self._before):
            self.play(lane, case)
        return case

    def play(self, lane: Lane, case: Case) -> None:
        answer = lane.client.cancel(case.job_id)
        assert answer.status_code == httpx.codes.OK, answer.text

    def finish(self, lane: Lane, case: Case) -> None:
        self.play(lane, case)
        lane.ends(case.job_id, "cancelled")


class Erase(Story):
    """A finished job is erased: its upload, its parts, and a result in a blob or in an item."""

    victim = API

    def __init__(self, name: str, *, part_bytes: int) -> None:
        super().__init__(name)
        self._part_bytes = part_bytes

    def prepare(self, lane: Lane) -> Case:
        case = Case(job_id=lane.client.submit(task="fan", options={"parts": 2, "result_bytes": self._part_bytes}))
        lane.ends(case.job_id, "succeeded")
        lane.end(WORKER)
        return case

    def play(self, lane: Lane, case: Case) -> None:
        answer = lane.client.erase(case.job_id)
        assert answer.status_code == httpx.codes.NO_CONTENT, answer.text

    def finish(self, lane: Lane, case: Case) -> None:
        # 404: the first request got as far as the tombstone; this one has wiped again what that may have left.
        assert lane.client.erase(case.job_id).status_code in (httpx.codes.NO_CONTENT, httpx.codes.NOT_FOUND)
        assert lane.client.get(case.job_id).status_code == httpx.codes.NOT_FOUND
        lane.ending[case.job_id] = "erased"


STORIES: list[Story] = [
    AcceptWithoutKey("accept without a key"),
    Accept("accept"),
    Accept("accept in blocks", BLOCKS),
    Join("join a job that waits"),
    JoinForgotten("join a job without a message"),
    Refused("send refused"),
    Cancel("cancel"),
    Cancel("cancel again", before=1),
    Erase("erase", part_bytes=100),
    Erase("erase a result in a blob", part_bytes=150_000),
]
