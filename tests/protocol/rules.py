"""The protocol's fussy rules, each with what the product is without it, and the search that then goes wrong.

A rule that the product decides is switched off by wrapping the decision, or by a write without its condition; one that
lies in the order of requests, by its name in `World.off`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from claimcheck import protocol, rescuing, settlements, writes
from claimcheck.job import Job, Status
from claimcheck.messages import Message
from claimcheck.protocol import AnnounceThenComplete, Begin, Complete, PassOnThenComplete
from claimcheck.tasks import Task
from claimcheck.writes import Write
from tests.protocol.concrete import NOW
from tests.protocol.decisions import WRITES, Decisions, MakeWrite
from tests.protocol.scenarios import SCENARIOS, Scenario
from tests.protocol.state import Ident

RUNNER_WRITES = ("retry", "hand_back", "advance", "succeed", "fail")


@dataclass(frozen=True)
class Rule:
    """One rule, and a scenario in which its absence shows."""

    name: str
    says: str
    breaks: str
    """The property, as `properties` names it."""
    scenario: str
    decisions: Decisions = field(default_factory=Decisions)
    """The product without it."""
    changes: dict[str, Any] = field(default_factory=dict)
    """Of the scenario: the smallest that shows it."""

    def witness(self) -> Scenario:
        """The scenario."""
        return replace(next(s for s in SCENARIOS if s.name == self.scenario), **self.changes)


def _settle_without_turn(task: Task, message: Message, *arguments: Any, **more: Any) -> settlements.Settlement:
    settlement = settlements.decide(task, message, *arguments, **more)
    if isinstance(settlement, settlements.PutBack) and settlement.copy.attempt == message.attempt:
        return replace(settlement, copy=message)
    return settlement


def _without_owner(make: MakeWrite) -> MakeWrite:
    def made(*arguments: Any) -> Write:
        return replace(make(*arguments), condition="c.status = 'running'")

    return made


def _keeping_the_runner(make: MakeWrite) -> MakeWrite:
    def made(*arguments: Any) -> Write:
        write = make(*arguments)
        return replace(write, changes={path: value for path, value in write.changes.items() if path != "run"})

    return made


def _needs_rescue_without_margin(job: Job, **times: Any) -> bool:
    return bool(rescuing.last_moved(job) < times["head_at"])


def _needs_rescue_running_whatever_waits(job: Job, **times: Any) -> bool:
    if job.status == Status.RUNNING:
        times["head_at"] = LONG_AFTER
    return rescuing.needs_rescue(job, **times)


LONG_AFTER = NOW.replace(year=NOW.year + 1)


def _needs_rescue_whenever_due(job: Job, **times: Any) -> bool:
    return rescuing.needs_rescue(job.model_copy(update={"due_at": None}), **times)


def _rescue_as_queued(task: Task, job: Job, epoch: int) -> Write:
    return writes.rescue(job, f"{epoch:08x}", NOW, fan_out=False)


def _begin_without_limit(*arguments: Any, **more: Any) -> Begin:
    return protocol.begin(*arguments, **{**more, "max_attempts": 1_000_000})


def _begin_with_done_parts_completed(*arguments: Any, **more: Any) -> Begin:
    begun = protocol.begin(*arguments, **more)
    return Complete("done already") if isinstance(begun, PassOnThenComplete) else begun


def _judge_stale_as_dropped(*arguments: Any, **more: Any) -> Begin:
    judged = protocol.judge_letter(*arguments, **more)
    return Complete("stale") if isinstance(judged, AnnounceThenComplete) else judged


def _judge_copy_as_own(job: Any, message: Message, **more: Any) -> Begin:
    if isinstance(job, Job) and job.run:
        more["sequence_number"] = job.run.sequence_number
    return protocol.judge_letter(job, message, **more)


def _writing(**changed: MakeWrite) -> Decisions:
    return Decisions(writes={**WRITES, **changed})


def _written_by_runners(wrap: Callable[[MakeWrite], MakeWrite]) -> Decisions:
    return _writing(**{name: wrap(WRITES[name]) for name in RUNNER_WRITES})


def _parts_written(task: Task, job: Job, copy: Ident) -> Write:
    return replace(WRITES["retry"](task, job, copy), condition="c.status = 'running'")


WITHOUT_RESCUER = ("client", "worker", "worker")
STUCK = "L1 stuck"
RESCUED = "L3 rescued more often"

RULES = (
    Rule(
        "turn",
        "a hand-back raises `turn` in the record and in the copy",
        STUCK,
        "F drain",
        Decisions(settle=_settle_without_turn),
        {"actors": WITHOUT_RESCUER, "drains": 1},
    ),
    Rule(
        "owner-token",
        "each take writes a fresh token; every later write of that runner is conditional on it",
        "S4",
        "A one stage",
        _written_by_runners(_without_owner),
        {"faults": 1},
    ),
    Rule(
        "keep-named-result",
        "a runner whose write was refused reads again, and deletes its result unless the record names it",
        "S2 succeeded, but its result is gone",
        "A one stage, result in a blob",
        changes={"faults": 1},
    ),
    Rule(
        "keep-named-upload",
        "who joins a job deletes its own upload unless the record names it",
        "S8",
        "A one stage",
        changes={"faults": 1},
    ),
    Rule(
        "random-result",
        "each run writes its result under a name of its own",
        "S2",
        "A one stage, result in a blob",
        changes={"faults": 1},
    ),
    Rule(
        "touch",
        "the second accept touches the record before it sends",
        "S3",
        "E one key twice",
    ),
    Rule(
        "head-margin",
        "the head of the line must be newer than the job's last move by the rescuer's patience",
        RESCUED,
        "A one stage",
        Decisions(needs_rescue=_needs_rescue_without_margin),
        {"faults": 0},
    ),
    Rule(
        "running-head",
        "so must it be for a running job",
        RESCUED,
        "B parts",
        Decisions(needs_rescue=_needs_rescue_running_whatever_waits),
        {"faults": 0},
    ),
    Rule(
        "wait-until-due",
        "the rescuer's patience with a job that waits for a retry starts when it is due",
        RESCUED,
        "G retry",
        Decisions(needs_rescue=_needs_rescue_whenever_due),
        {"faults": 0},
    ),
    Rule(
        "stage-reset",
        "the write that ends a stage leaves no runner behind",
        STUCK,
        "B parts",
        _writing(advance=_keeping_the_runner(WRITES["advance"]), join=_keeping_the_runner(WRITES["join"])),
        {"actors": WITHOUT_RESCUER, "faults": 0},
    ),
    Rule(
        "fan-out-stays-running",
        "a rescued fan-out stays running",
        "L3 a circle",
        "B parts",
        _writing(rescue=_rescue_as_queued),
        {},
    ),
    Rule(
        "done-part-passes-on",
        "a part that is done already passes on again",
        STUCK,
        "B parts",
        Decisions(begin=_begin_with_done_parts_completed),
        {"actors": WITHOUT_RESCUER},
    ),
    Rule(
        "parts-leave-record",
        "a part that is put back leaves status, attempt and turn of the record alone",
        "L",
        "G retry in parts",
        _writing(retry=_parts_written),
        {"faults": 0},
    ),
    Rule(
        "beat",
        "who sends without having just written the record touches it first",
        RESCUED,
        "F drain in parts",
        changes={"faults": 0},
    ),
    Rule(
        "stale-letter-resends",
        "a stale dead letter makes sure that what the record waits for is on the queue",
        STUCK,
        "K dead letters",
        Decisions(judge_letter=_judge_stale_as_dropped),
        {"actors": (*WITHOUT_RESCUER, "watcher"), "faults": 2},
    ),
    Rule(
        "letter-of-a-copy",
        "a dead letter that is not the runner's own message is a copy",
        "S7",
        "K dead letters",
        Decisions(judge_letter=_judge_copy_as_own),
        {"faults": 2, "max_delivery": 1, "dedupe": False, "failures": 0},
    ),
    Rule(
        "limit-first",
        "whether a delivery is over the limit is asked before the job is taken",
        "S9",
        "P over the limit",
        Decisions(begin=_begin_without_limit),
        {"faults": 2},
    ),
)
