"""A job and a message to start from; tests change what they are about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from claimcheck.job import Job, Run, Upload
from claimcheck.messages import Message

NOW = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)
JOB_ID = "0f9619ff-8b86-4d01-b42d-00cf4fc964ff"
EPOCH = "a1b2c3d4"
UPLOAD = Upload(blob=f"uploads/default/{JOB_ID}/x", name="talk.mp3", media_type="audio/mpeg", size_bytes=5, sha256="ab")


def job(**changes: Any) -> Job:
    """A queued job of `transcribe`, accepted now."""
    fields: dict[str, Any] = {
        "tenant": "default",
        "job_id": JOB_ID,
        "task": "transcribe",
        "upload": UPLOAD,
        "created_at": NOW,
        "deadline_at": NOW + timedelta(days=1),
        "moved_at": NOW,
        "epoch": EPOCH,
        "stage": "whole",
        **changes,
    }
    return Job(**fields)


def run(sequence_number: str = "7") -> Run:
    """A runner of the message with this sequence number."""
    return Run(sequence_number=sequence_number, owner="0123456789abcdef", started_at=NOW)


def message(**changes: Any) -> Message:
    """The first message of that job."""
    fields: dict[str, Any] = {"tenant": "default", "job_id": JOB_ID, "epoch": EPOCH, "stage": "whole", **changes}
    return Message(**fields)
