"""claimcheck/commands/up/crew.py: how many workers, for which queues, on which ports."""

from __future__ import annotations

from typing import Any

import pytest

from claimcheck.commands.up.crew import crew
from claimcheck.settings import LocalSettings
from claimcheck.tasks import QueueKind


@pytest.mark.parametrize(
    ("given", "queues", "names"),
    [
        pytest.param({}, ("speech", "language"), ["speech-1", "language-1"], id="what our tasks need"),
        pytest.param({}, ("speech",), ["speech-1"], id="no installed task asks a model"),
        pytest.param({}, ("media",), ["media-1"], id="a plug-in with a stage on media"),
        pytest.param({"media_workers": 3}, ("speech",), ["speech-1"], id="workers for a queue that nobody uses"),
        pytest.param({"language_workers": 0}, ("speech", "language"), ["speech-1"], id="none wanted"),
        pytest.param(
            {"speech_workers": 2, "language_workers": 2, "media_workers": 2},
            ("media", "language", "speech"),
            ["speech-1", "speech-2", "language-1", "language-2", "media-1", "media-2"],
            id="two of each",
        ),
    ],
)
def test_there_are_workers_for_the_queues_that_tasks_use(
    given: dict[str, Any], queues: tuple[QueueKind, ...], names: list[str]
) -> None:
    posts = crew(LocalSettings(worker_port=9000, **given), queues)

    assert [post.name for post in posts] == [*names, "keeper"]
    assert [post.port for post in posts] == list(range(9000, 9001 + len(names)))
    assert all(post.name.startswith(post.role) for post in posts)
