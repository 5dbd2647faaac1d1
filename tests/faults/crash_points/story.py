"""What is played at each crash point: a story has a victim, what it does, and how all must end."""

from __future__ import annotations

import contextlib
import secrets
from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import httpx

from claimcheck.idempotency import job_id_for
from tests.faults.crash_points.crashing import Counts, CrashPoint
from tests.faults.crash_points.lane import KEEPER, WORKER, Died, Lane
from tests.stack.names import LOCK_S


@dataclass
class Case:
    """One performance of a story: its idempotency key, and its job."""

    key: str = field(default_factory=lambda: secrets.token_hex(8))
    job_id: str = ""
    others: dict[str, str] = field(default_factory=dict)
    """Further jobs, by what they are there for."""

    def __post_init__(self) -> None:
        self.job_id = self.job_id or job_id_for("default", self.key)

    @property
    def headers(self) -> dict[str, str]:
        """The header with the key."""
        return {"Idempotency-Key": self.key}


class Story(ABC):
    """One thing that happens to a job."""

    victim: str

    def __init__(self, name: str) -> None:
        self.name = name

    def prepare(self, lane: Lane) -> Case:
        """What comes before. Every program runs, but no worker and no keeper."""
        return Case()

    @abstractmethod
    def play(self, lane: Lane, case: Case) -> None:
        """What the victim does. Raises Died or a transport's error if that ends it."""

    def meanwhile(self, lane: Lane, case: Case) -> None:
        """What happens between the victim's death and its successor's start."""
        lane.age(2 * LOCK_S)

    @abstractmethod
    def finish(self, lane: Lane, case: Case) -> None:
        """Repeat what got no answer, as a client would, and check that all ends rightly."""


def undisturbed(story: Story, lane: Lane) -> Counts:
    """Play a story to its end; what its victim asked of the services."""
    case = _begun(story, lane, None)
    story.play(lane, case)
    counts = lane.watch.counted()
    lane.watch.end()
    _ended(story, lane, case)
    return counts


def crashed(story: Story, lane: Lane, point: CrashPoint) -> bool:
    """Play a story with its victim killed at a point, and a successor after. False: it never came to the point."""
    case = _begun(story, lane, point)
    with contextlib.suppress(Died, httpx.TransportError):
        story.play(lane, case)
    struck = lane.watch.struck
    lane.bury_victim()
    story.meanwhile(lane, case)
    lane.start(lane.victim)
    _ended(story, lane, case)
    return struck


def _begun(story: Story, lane: Lane, point: CrashPoint | None) -> Case:
    lane.cast(story.victim)
    case = story.prepare(lane)
    lane.raise_curtain(point)
    return case


def _ended(story: Story, lane: Lane, case: Case) -> None:
    story.finish(lane, case)
    lane.disarm()
    lane.end(WORKER, KEEPER)
