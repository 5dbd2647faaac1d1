"""services/demo_model/server.py: how many threads compute."""

from __future__ import annotations

import pytest

from services.demo_model.server import cores, threads


@pytest.mark.parametrize(("available", "used"), [(1, 1), (2, 1), (3, 1), (4, 2), (8, 4), (64, 4)])
def test_half_the_cores_compute_and_never_more_than_four(available: int, used: int) -> None:
    assert threads(available) == used


def test_there_is_at_least_one_core() -> None:
    assert cores() >= 1
