"""claimcheck/commands/up/restarts.py: how long a crashed program stays down."""

from __future__ import annotations

import pytest

from claimcheck.commands.up.restarts import restart_delay_s


@pytest.mark.parametrize(
    ("previous_s", "ran_s", "got_ready", "delay_s"),
    [
        pytest.param(0, 0.1, False, 0.5, id="the first crash is followed by a start almost at once"),
        pytest.param(0.5, 0.1, False, 1.0, id="the next one waits twice as long"),
        pytest.param(16, 9.9, False, 30.0, id="up to half a minute"),
        pytest.param(30, 0.1, False, 30.0, id="and no longer"),
        pytest.param(30, 10.0, False, 0.5, id="ten seconds of health are forgiven"),
        pytest.param(30, 0.1, True, 0.5, id="so is whoever was ready: its start is not to blame"),
    ],
)
def test_the_wait_doubles_until_the_program_stays_up(
    previous_s: float, ran_s: float, got_ready: bool, delay_s: float
) -> None:
    assert restart_delay_s(previous_s, ran_s, got_ready=got_ready) == delay_s
