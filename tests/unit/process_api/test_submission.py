"""services.process_api.submission.py: which task a file is for when nobody named one."""

from __future__ import annotations

import pytest

from services.process_api.submission import task_for


@pytest.mark.parametrize(
    ("media_type", "task"),
    [
        ("image/png", "describe"),
        ("IMAGE/JPEG", "describe"),
        ("audio/mpeg", "transcribe"),
        ("video/mp4", "transcribe"),
        ("application/octet-stream", "transcribe"),
        ("", "transcribe"),
        ("imagery/png", "transcribe"),
    ],
)
def test_task_is_chosen_by_content(media_type: str, task: str) -> None:
    assert task_for(media_type) == task
