"""How long to wait before a crashed program is started again. Pure."""

from __future__ import annotations

FIRST_S = 0.5  # a killed worker must be back long before the lease of its job runs out
LONGEST_S = 30.0
HEALTHY_S = 10.0  # a program that ran this long is not in a crash loop; Docker's restart policy says so too
HOPELESS_STARTS = 3  # a program that ends this often before it was ever ready will not become so


def restart_delay_s(previous_s: float, ran_s: float, *, got_ready: bool) -> float:
    """Seconds to wait after a crash; `previous_s` is the wait before that run (0: none), `ran_s` how long it ran.

    `got_ready`: whether it was ready in that run. Then what ended it lies outside its start, for example a job that
    kills workers, and a longer pause would only keep everybody else waiting.
    """
    if previous_s <= 0 or got_ready or ran_s >= HEALTHY_S:
        return FIRST_S
    return min(previous_s * 2, LONGEST_S)
