"""The story whose victim is the keeper: it does all its duties at once."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from functools import partial

from claimcheck.job import timestamp
from tests.faults.crash_points.lane import KEEPER, LONG_S, Lane
from tests.faults.crash_points.story import Case, Story

REASON = "parked by a test"


class Keep(Story):
    """A dead letter of a job, one that nobody can read, a job whose message is gone, and one past its deadline."""

    victim = KEEPER

    def prepare(self, lane: Lane) -> Case:
        case = Case(job_id=lane.client.submit())
        (body,) = lane.by_hand.take_off()
        for parked in (body, _unreadable(case)):
            lane.by_hand.park(parked, reason=REASON)
        case.others["forgotten"] = lane.client.submit()
        lane.by_hand.take_off()
        lane.make_older(case.others["forgotten"], LONG_S)
        case.others["overdue"] = lane.client.submit()
        past = datetime.now(UTC) - timedelta(seconds=1)
        lane.stores.change_record(case.others["overdue"], deadline_at=timestamp(past))
        return case

    def play(self, lane: Lane, case: Case) -> None:
        for job_id in (case.job_id, case.others["overdue"]):
            lane.until(partial(self._ended, lane, job_id), f"job {job_id} ends")
        lane.until(lambda: lane.counts()["dead_lettered"] == 0, "the letters are taken")
        # The message of the job that is overdue, and that of the job that was rescued.
        lane.until(lambda: lane.counts()["active"] == 2, "the forgotten job is announced")

    def _ended(self, lane: Lane, job_id: str) -> bool:
        return "ended_at" in lane.job(job_id)

    def meanwhile(self, lane: Lane, case: Case) -> None:
        # The locks of the letters run out by themselves: aged ones would be other letters, by what they are kept as.
        if lane.counts()["active"] < 2:
            # Rescued, but not announced: it is looked for again once it has stood still for long enough.
            lane.make_older(case.others["forgotten"], LONG_S)

    def finish(self, lane: Lane, case: Case) -> None:
        self.play(lane, case)
        lane.ends(case.others["forgotten"], "succeeded")
        for job_id, problem in ((case.job_id, "dead-lettered"), (case.others["overdue"], "deadline-exceeded")):
            assert lane.ends(job_id, "failed")["error"]["type"] == f"urn:claimcheck:problem:{problem}"
        letters = [letter for letter in lane.stores.items("dead-letter") if letter["job_id"] == case.job_id]
        assert [letter["reason"] for letter in letters] == [REASON]
        unreadable = b64encode(_unreadable(case)).decode()
        letters = [letter for letter in lane.stores.items("dead-letter") if letter["body_base64"] == unreadable]
        assert [letter["reason"] for letter in letters] == [REASON]


def _unreadable(case: Case) -> bytes:
    return f"no message of ours: {case.key}".encode()


STORIES: list[Story] = [Keep("keep")]
