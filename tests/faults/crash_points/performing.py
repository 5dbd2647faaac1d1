"""Play every story at every point of it, on several lanes at once."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from traceback import format_exception
from typing import Literal

from tests.faults.crash_points.crashing import CrashPoint, points_of
from tests.faults.crash_points.lane import Lane
from tests.faults.crash_points.story import Story, crashed, undisturbed

LANES = 8
TRIES = 3
# A renewal of the lease and the read that follows it fall due by the clock, so one performance may see more of them.
BY_THE_CLOCK = ("renew-lock", "GET docs")

Fate = Literal["covered", "missed", "unsteady"]


@dataclass
class Outcome:
    """What became of a story."""

    covered: list[CrashPoint] = field(default_factory=list)
    missed: list[CrashPoint] = field(default_factory=list)
    unsteady: list[CrashPoint] = field(default_factory=list)
    """What an undisturbed performance does not come to each time: a call that was repeated, for example."""
    failed: dict[CrashPoint, Exception] = field(default_factory=dict)

    @property
    def excused(self) -> list[CrashPoint]:
        """The points that were seen once and never again, and that fall due by the clock."""
        return [point for point in self.missed if point.kind in BY_THE_CLOCK]

    @property
    def wrong(self) -> list[str]:
        """What no story may come to: an end that is not right, or a point that was seen once and never again."""
        missed = [f"never came to be {point}" for point in self.missed if point not in self.excused]
        return missed + [f"{point}:\n{''.join(format_exception(error))}" for point, error in self.failed.items()]


class Stage:
    """All lanes. A story is played as soon as one is free."""

    def __init__(self, make_lane: Callable[[], Lane]) -> None:
        self._make_lane = make_lane
        self._free: queue.LifoQueue[Lane] = queue.LifoQueue()
        self.lanes: list[Lane] = []
        self.covered = 0
        """Crash points at which a story has been played, of the stories whose outcome was asked for."""
        self._pool = ThreadPoolExecutor(LANES)
        self._stories: dict[str, Future[list[tuple[CrashPoint, Future[Fate]]]]] = {}

    def begin(self, story: Story) -> None:
        """Play a story in the background: once undisturbed, and then at each of its points."""
        self._stories[story.name] = self._pool.submit(self._find_points, story)

    def outcome(self, story: Story) -> Outcome:
        """Wait until a story that was begun has been played at all its points."""
        outcome = Outcome()
        fates = {"covered": outcome.covered, "missed": outcome.missed, "unsteady": outcome.unsteady}
        for point, played in self._stories[story.name].result():
            try:
                fates[played.result()].append(point)
            except Exception as error:
                outcome.failed[point] = error
        self.covered += len(outcome.covered)
        return outcome

    @property
    def has_begun(self) -> bool:
        """Whether any story was begun."""
        return bool(self._stories)

    def each_lane(self, work: Callable[[Lane], int]) -> list[int]:
        """What `work` returns for each lane, done on all at once. Every story has been played."""
        return list(self._pool.map(work, self.lanes))

    def close(self) -> None:
        """End every program."""
        self._pool.shutdown(cancel_futures=True)
        for lane in self.lanes:
            lane.close()

    def _find_points(self, story: Story) -> list[tuple[CrashPoint, Future[Fate]]]:
        with self._lane() as lane:
            counts = undisturbed(story, lane)
        return [(point, self._pool.submit(self._play, story, point)) for point in points_of(counts)]

    def _play(self, story: Story, point: CrashPoint) -> Fate:
        """Play the story until its process dies there; which of the lists of an outcome the point belongs to."""
        with self._lane() as lane:
            if any(crashed(story, lane, point) for _ in range(TRIES)):
                return "covered"
            if point.kind in BY_THE_CLOCK:
                return "missed"
            counts = undisturbed(story, lane)
        return "missed" if counts[point.service, point.kind] >= point.nth else "unsteady"

    @contextmanager
    def _lane(self) -> Iterator[Lane]:
        try:
            lane = self._free.get_nowait()
        except queue.Empty:
            lane = self._make_lane()
            self.lanes.append(lane)
        try:
            yield lane
        except BaseException:
            # What a failed performance leaves must not disturb the next one.
            lane.close()
            self.lanes.remove(lane)
            raise
        self._free.put(lane)
