"""claimcheck/commands/up/queues.py: what the settings say of the queues, and nothing else, is changed."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from azure_local_emulators.service_bus.config import read_config
from claimcheck.commands.up.queues import LISTED, config_file, with_settings, write_config

ROOT = Path(__file__).parents[3]


@pytest.fixture
def listed() -> dict[str, Any]:
    """The committed queues."""
    found: dict[str, Any] = json.loads((ROOT / LISTED).read_text())
    return found


def test_by_default_the_queues_are_those_of_production(listed: dict[str, Any]) -> None:
    made = with_settings(listed, lease_s=60.0, duplicate_detection=True)

    expected = copy.deepcopy(listed)
    for queue in expected["UserConfig"]["Namespaces"][0]["Queues"]:
        queue["Properties"]["LockDuration"] = "PT60S"  # the same as PT1M
    assert made == expected


def test_broker_and_workers_hear_the_same_of_locks_and_duplicates(tmp_path: Path) -> None:
    write_config(ROOT, tmp_path, lease_s=7.5, duplicate_detection=False)

    queues = read_config(config_file(tmp_path))

    assert {queue.name for queue in queues} == {"media", "speech", "language"}
    assert {(queue.lock_s, queue.duplicate_window_s) for queue in queues} == {(7.5, None)}
    assert {queue.max_delivery_count for queue in queues} == {10}


def test_the_committed_file_is_left_as_it_is(listed: dict[str, Any]) -> None:
    before = copy.deepcopy(listed)

    with_settings(listed, lease_s=5.0, duplicate_detection=False)

    assert listed == before
