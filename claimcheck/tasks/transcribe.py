"""`transcribe`: any recording to text with word times, as text, JSON, SRT or WebVTT."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from claimcheck.tasks import JSON, Format, Stage, Task
from claimcheck.transcript import TranscribeOptions, Transcript, as_srt, as_text, as_vtt


def _rendered(render: Callable[[Transcript], str]) -> Callable[[Mapping[str, Any]], str]:
    return lambda result: render(Transcript.model_validate(result))


TASK = Task(
    name="transcribe",
    media_types=("audio/*", "video/*", "application/ogg", "application/mp4"),
    options=TranscribeOptions,
    stages=(Stage("whole", queue="speech", handler="services.worker.handlers.transcribe:whole"),),
    formats={
        "json": JSON,
        "txt": Format("text/plain; charset=utf-8", _rendered(as_text)),
        "srt": Format("application/x-subrip; charset=utf-8", _rendered(as_srt)),
        "vtt": Format("text/vtt; charset=utf-8", _rendered(as_vtt)),
    },
)
