"""The verdict on a run, after Jepsen's total-queue, or on the jobs of a time window. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from claimcheck.commands.verify.history import Attempt, History, Reading
from claimcheck.job import Status

Findings = tuple["Finding", ...]

LATE = timedelta(minutes=2)  # The keeper looks for jobs past their deadline once a minute.


@dataclass(frozen=True)
class Finding:
    """A job, and what is to be said of it."""

    job_id: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How many of each, or which. None: cannot be known from what was seen."""

    attempted: int | None = None
    """Submissions that were begun."""
    acknowledged: int | None = None
    """Those that were answered 202."""
    refusals: Mapping[str, int] = field(default_factory=dict)
    """What submissions were answered instead of 202, and how often; the last answer, where there were several."""
    succeeded: int = 0
    failed: Findings = ()
    cancelled: Findings = ()
    lost: Findings | None = None
    """Acknowledged, and then a 404, not in the list, or not ended by its deadline."""
    unexpected: Findings | None = None
    """In the list as a job of this run, though no attempt explains it."""
    duplicated: Findings | None = None
    """One attempt, several jobs."""
    differing: Findings = ()
    """An end or a result that was not the same each time, or is none."""
    recovered: Findings | None = None
    """Not acknowledged, and found to have run: allowed, since an answer may be lost."""
    stuck: Findings = ()
    """Not ended in time."""
    open: int = 0
    """Not ended, and within its time."""
    failures_count: bool = True
    """Whether a failed job speaks against the system: its own uploads are sound, others' may be anything."""

    @property
    def holds(self) -> bool:
        """Whether the promise was kept, as far as this can tell. A run without a single 202 shows nothing."""
        bad = (self.lost, self.unexpected, self.duplicated, self.differing, self.stuck)
        return not any(bad) and not (self.failures_count and self.failed) and self.acknowledged != 0


def judge(history: History, *, now: datetime) -> Verdict:
    """The verdict on a run; `now` is when its last reading was made."""
    made = _made(history)
    latest = {reading.job_id: reading for reading in history.readings}
    acknowledged = {job_id for attempt in history.attempts for job_id in attempt.accepted}
    known = list(dict.fromkeys(job_id for ids in made.values() for job_id in ids))
    lost = tuple(_lost(history, acknowledged, now))
    missed = {finding.job_id for finding in lost}
    return Verdict(
        attempted=len(history.attempts),
        acknowledged=sum(bool(attempt.accepted) for attempt in history.attempts),
        refusals=Counter(attempt.refusal for attempt in history.attempts if attempt.refusal),
        succeeded=sum(reading.status == Status.SUCCEEDED for reading in latest.values()),
        failed=_in_state(latest.values(), Status.FAILED),
        cancelled=_in_state(latest.values(), Status.CANCELLED),
        lost=lost,
        unexpected=tuple(_unexpected(history)),
        duplicated=tuple(_duplicated(made)),
        differing=(*_changed(history.readings), *_flawed(latest.values()), *_mixed_up(history, latest)),
        recovered=tuple(_recovered(made, latest)),
        stuck=tuple(_stuck((job_id for job_id in known if job_id not in missed), latest)),
    )


def judge_window(readings: Sequence[Reading], *, now: datetime, patience: timedelta | None) -> Verdict:
    """The verdict on jobs that others have submitted, each read twice.

    `patience`: how long after its creation a job may be without an end; None: until its deadline.
    """
    # One that its owner erases, or that expires, while it is read is a 404 with good reason.
    latest = {reading.job_id: reading for reading in readings if reading.status is not None}
    late = [reading for reading in latest.values() if not reading.ended and _is_late(reading, now, patience)]
    return Verdict(
        succeeded=sum(reading.status == Status.SUCCEEDED for reading in latest.values()),
        failed=_in_state(latest.values(), Status.FAILED),
        cancelled=_in_state(latest.values(), Status.CANCELLED),
        differing=(*_changed([r for r in readings if r.status is not None]), *_flawed(latest.values())),
        stuck=tuple(_stuck((reading.job_id for reading in late), latest)),
        open=sum(not reading.ended for reading in latest.values()) - len(late),
        failures_count=False,
    )


def _made(history: History) -> dict[Attempt, tuple[str, ...]]:
    """The jobs of each attempt: those it was told of, and those with its content."""
    of_content: dict[str, list[str]] = {}
    for listed in history.listed:
        of_content.setdefault(listed.content, []).append(listed.job_id)
    return {
        attempt: tuple(dict.fromkeys((*attempt.accepted, *of_content.get(attempt.content, ()))))
        for attempt in history.attempts
    }


def _lost(history: History, acknowledged: set[str], now: datetime) -> Iterator[Finding]:
    listed = {job.job_id for job in history.listed}
    by_job = _by_job(history.readings)
    for job_id in sorted(acknowledged):
        readings = by_job.get(job_id, [])
        if any(reading.status is None for reading in readings):
            yield Finding(job_id, "acknowledged, and then a 404")
        elif job_id not in listed:
            yield Finding(job_id, "acknowledged, and not in the list")
        elif readings and not readings[-1].ended and _is_late(readings[-1], now, None):
            yield Finding(job_id, f"{readings[-1].status} after its deadline")


def _unexpected(history: History) -> Iterator[Finding]:
    contents = {attempt.content for attempt in history.attempts}
    for job in history.listed:
        if job.content not in contents:
            yield Finding(job.job_id, f"its upload {job.content[:12]} was never sent")


def _duplicated(made: Mapping[Attempt, Sequence[str]]) -> Iterator[Finding]:
    for attempt, ids in made.items():
        how = "with one Idempotency-Key" if attempt.keyed else "in a single request"
        for job_id in ids if len(ids) > 1 else ():
            yield Finding(job_id, f"one of {len(ids)} jobs of an upload that was handed in {how}")


def _changed(readings: Iterable[Reading]) -> Iterator[Finding]:
    """Terminal is final: what has ended is the same whenever it is read."""
    for job_id, seen in _by_job(readings).items():
        after = seen[next((n for n, reading in enumerate(seen) if reading.ended), len(seen)) :]
        ends = dict.fromkeys(reading.end or str(reading.status) for reading in after if reading.status is not None)
        if len(ends) > 1:
            yield Finding(job_id, f"its end was read {len(after)} times, and differed")


def _flawed(readings: Iterable[Reading]) -> Iterator[Finding]:
    return (Finding(reading.job_id, reading.flaw) for reading in readings if reading.flaw)


def _mixed_up(history: History, latest: Mapping[str, Reading]) -> Iterator[Finding]:
    """One input has one result, and one result comes of one input. The odd ones out are named."""
    for attempt in history.attempts:
        for job_id in attempt.accepted:
            if job_id in latest and latest[job_id].content not in ("", attempt.content):
                yield Finding(job_id, "its upload is another than the one that was handed in")
    inputs = {attempt.content: attempt.input for attempt in history.attempts if attempt.input is not None}
    first_result: dict[str, str] = {}
    first_input: dict[str, str] = {}
    for reading in latest.values():
        given = inputs.get(reading.content)
        if given is None or not reading.result:
            continue
        if first_result.setdefault(given, reading.result) != reading.result:
            yield Finding(reading.job_id, "another result than a job with the same input")
        elif first_input.setdefault(reading.result, given) != given:
            yield Finding(reading.job_id, "the result of a job with another input")


def _recovered(made: Mapping[Attempt, Sequence[str]], latest: Mapping[str, Reading]) -> Iterator[Finding]:
    for attempt, ids in made.items():
        for job_id in ids if not attempt.accepted else ():
            if job_id in latest and latest[job_id].ended:
                yield Finding(job_id, f"{latest[job_id].status}; its submission ended with: {attempt.refusal}")


def _stuck(job_ids: Iterable[str], latest: Mapping[str, Reading]) -> Iterator[Finding]:
    for job_id in job_ids:
        reading = latest.get(job_id)
        if reading is None:
            yield Finding(job_id, "no answer says what it is")
        elif not reading.ended:
            yield Finding(job_id, f"still {reading.status}")


def _in_state(readings: Iterable[Reading], status: Status) -> Findings:
    return tuple(Finding(reading.job_id, reading.why) for reading in readings if reading.status == status)


def _is_late(reading: Reading, now: datetime, patience: timedelta | None) -> bool:
    if reading.deadline_at is not None and now > reading.deadline_at + LATE:
        return True
    return patience is not None and reading.created_at is not None and now > reading.created_at + patience


def _by_job(readings: Iterable[Reading]) -> dict[str, list[Reading]]:
    found: dict[str, list[Reading]] = {}
    for reading in readings:
        found.setdefault(reading.job_id, []).append(reading)
    return found
