"""The lanes on which stories are played, and what they were played on."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.faults.crash_points.lane import Lane
from tests.faults.crash_points.performing import Stage
from tests.faults.crash_points.story import Story
from tests.stack import tally
from tests.stack.components import ROOT
from tests.stack.counting_proxy import LoopThread
from tests.stack.forking import ForkServer
from tests.stack.names import NameStock
from tests.stack.services import Services

PLUGINS = ROOT / "tests" / "plugin"


@pytest.fixture(scope="module")
def stage(
    request: pytest.FixtureRequest,
    services: Services,
    name_stock: NameStock,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stage]:
    """All stories that are asked for, being played."""
    numbers = itertools.count(1)

    def make_lane() -> Lane:
        folder = tmp_path_factory.mktemp(f"lane-{next(numbers)}")
        names = name_stock.take()
        return Lane(services=services, names=names, folder=folder, server=server, loop=loop, plugins=PLUGINS)

    with ForkServer(PLUGINS) as server, LoopThread() as loop:
        stage = Stage(make_lane)
        try:
            for story in _asked_for(request):
                stage.begin(story)
            yield stage
            tally.add(request.config, "crash points: {:,} covered", stage.covered)
        finally:
            stage.close()


def _asked_for(request: pytest.FixtureRequest) -> list[Story]:
    """The stories of the tests that will run."""
    items = [item for item in request.session.items if item.path == request.path and isinstance(item, pytest.Function)]
    stories = [item.callspec.params["story"] for item in items if hasattr(item, "callspec")]
    return [story for story in stories if isinstance(story, Story)]
