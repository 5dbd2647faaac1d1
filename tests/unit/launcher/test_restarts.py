"""claimcheck/commands/up/restarts.py: how long a crashed program stays down."""

from __future__ import annotations

import pytest

from claimcheck.commands.up.restarts import restart_delay_s


@pytest.mark.parametrize(
    ("previous_s", "ran_s", "delay_s"),
    [
        pytest.param(0, 0.1, 0.5, id="the first crash is followed by a start almost at once"),
        pytest.param(0.5, 0.1, 1.0, id="the next one waits twice as long"),
        pytest.param(16, 59.9, 30.0, id="up to half a minute"),
        pytest.param(30, 0.1, 30.0, id="and no longer"),
        pytest.param(30, 60.0, 0.5, id="a minute of health is forgiven"),
    ],
)
def test_the_wait_doubles_until_the_program_stays_up(previous_s: float, ran_s: float, delay_s: float) -> None:
    assert restart_delay_s(previous_s, ran_s) == delay_s
