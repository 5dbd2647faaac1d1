"""How often a waiting request reads its job."""

from __future__ import annotations

from datetime import timedelta

import pytest

from claimcheck.web.waiting import pause_after


@pytest.mark.parametrize(
    ("waited_s", "pause_s"), [(0, 0.25), (0.9, 0.25), (1, 0.25), (2, 0.5), (8, 2), (9, 2), (59, 2)]
)
def test_job_is_read_after_a_quarter_of_the_wait_so_far(waited_s: float, pause_s: float) -> None:
    assert pause_after(timedelta(seconds=waited_s)) == timedelta(seconds=pause_s)
