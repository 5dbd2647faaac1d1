"""`transcribe`: any recording to text with word times, as text, JSON, SRT or WebVTT."""

from __future__ import annotations

from claimcheck.tasks import Stage, Task
from claimcheck.transcript import TranscribeOptions

TASK = Task(
    name="transcribe",
    media_types=("audio/*", "video/*", "application/ogg", "application/mp4"),
    options=TranscribeOptions,
    stages=(Stage("whole", queue="speech", handler="services.worker.handlers.transcribe:whole"),),
    formats={
        "json": "application/json",
        "txt": "text/plain; charset=utf-8",
        "srt": "application/x-subrip; charset=utf-8",
        "vtt": "text/vtt; charset=utf-8",
    },
    render="claimcheck.transcript:render",
)
