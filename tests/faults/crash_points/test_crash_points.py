"""Whatever request a process dies at, its job ends rightly: what a 202 promised happens once, and nothing is left."""

from __future__ import annotations

import sys

import pytest

from tests.faults.crash_points import accepting, delivering, keeping
from tests.faults.crash_points.auditing import audit
from tests.faults.crash_points.performing import Stage
from tests.faults.crash_points.story import Story

pytestmark = pytest.mark.timeout(600)

STORIES = (*accepting.STORIES, *delivering.STORIES, *keeping.STORIES)
# How many points each story has at the least. They are found by watching; a story in which fewer are found was not
# watched well enough. When a request is saved, its number here goes down by two.
POINTS = {
    "accept without a key": 6,
    "accept": 6,
    "accept in blocks": 12,
    "join a job that waits": 12,
    "join a job without a message": 12,
    "send refused": 10,
    "cancel": 2,
    "cancel again": 4,
    "erase": 20,
    "erase a result in a blob": 20,
    "result in an item": 10,
    "result in a blob": 10,
    "retry": 18,
    "permanent failure": 8,
    "drain": 10,
    "cancel while running": 14,
    "fan-out": 64,
    "fan-out with trouble": 64,
    "undecodable message": 4,
    "keep": 46,
}


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_story_ends_rightly_wherever_its_process_dies(stage: Stage, story: Story) -> None:
    outcome = stage.outcome(story)
    sys.stdout.writelines(f"{point}\n" for point in outcome.covered)
    sys.stdout.writelines(f"not each time: {point}\n" for point in outcome.unsteady)
    assert not outcome.wrong, "\n".join(outcome.wrong)
    assert len(outcome.covered) + len(outcome.excused) >= POINTS[story.name]


def test_every_job_of_all_stories_ended_once_and_nothing_is_left_of_them(stage: Stage) -> None:
    if not stage.has_begun:
        pytest.skip("no story was asked for")
    jobs = sum(stage.each_lane(audit))
    assert jobs, "there was nothing to look at"
    sys.stdout.write(f"crash points: {stage.covered} covered, with {jobs} jobs\n")
