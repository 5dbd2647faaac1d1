"""No interleaving of faults breaks the protocol: jobs in parts. `python -m tests.protocol --deep` looks further."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.protocol.scenarios import ONE_STAGE, SCENARIOS, Scenario
from tests.protocol.search import search

IN_PARTS = [scenario for scenario in SCENARIOS if scenario.task != ONE_STAGE]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("dedupe", [True, False], ids=["detecting", "blind"])
@pytest.mark.parametrize("scenario", IN_PARTS, ids=lambda scenario: scenario.name)
def test_job_in_parts_ends_rightly_however_faults_fall(scenario: Scenario, dedupe: bool) -> None:
    found = search(replace(scenario, dedupe=dedupe))
    assert found.violation is None, found
    assert found.complete
