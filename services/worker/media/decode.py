"""Decode a client's recording in a confined child and say what became of it. The worker never opens the file."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from claimcheck.errors import AudioTooLong, MediaDecoderCrashed, MediaUnreadable, MediaWithoutAudio, PermanentFailure
from claimcheck.settings import MediaSettings
from services.worker.media.confined import Confinement, Refusal

log = logging.getLogger(__name__)

CHILD = Path(__file__).with_name("audio_child.py")
READABLE = "WAV, FLAC, MP3, AAC, M4A, MP4, MOV, Ogg, Opus, WebM, Matroska, AVI, WMA and others"
SECOND_BYTES = 32_000  # of PCM: 16,000 samples of 16 bits
FILE_SLACK_BYTES = 1024 * 1024  # the child itself counts the samples and says so when there are too many


class _Report(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    duration_s: float
    container_duration_s: float | None
    bad_packets: int
    codec: str


@dataclass(frozen=True, kw_only=True)
class DecodedAudio:
    """Audio as every engine takes it."""

    path: Path
    """PCM without a header: signed 16 bit, mono, 16 kHz, little endian."""
    duration_s: float
    """Length of the PCM; gaps between packets are filled with silence."""
    container_duration_s: float | None
    """Length that the file claims, if it does. MP3 without a header is a guess, off by about 1 %."""
    bad_packets: int
    """Packets that could not be decoded; what they held is missing."""
    codec: str


async def decode(source: Path, folder: Path, *, limits: MediaSettings, max_audio_s: float) -> DecodedAudio:
    """Decode the first audio track of `source` into `folder`, in a child process under `limits`.

    The child is killed when the caller is cancelled, when this process dies (on Linux) and after `limits.wall_s`.
    Raises MediaUnreadable, MediaWithoutAudio, AudioTooLong, MediaDecoderCrashed, ScratchFull.
    """
    target = folder / "audio.pcm"
    child = Confinement(
        script=CHILD,
        reader="the media decoder",
        crashed=MediaDecoderCrashed,
        memory_bytes=limits.memory_bytes,
        cpu_s=limits.cpu_s,
        wall_s=limits.wall_s,
        file_bytes=round(max_audio_s * SECOND_BYTES) + FILE_SLACK_BYTES,
    )
    try:
        report = await child.run(source, target, max_audio_s, folder=folder, into=_Report)
    except Refusal as refusal:
        raise _refused(refusal, max_audio_s) from refusal
    log.info("media.decoded", extra=report.model_dump(exclude={"codec"}))
    if report.duration_s == 0:
        raise MediaUnreadable(f"no audio could be decoded; bad packets: {report.bad_packets}")
    return DecodedAudio(path=target, **report.model_dump())


def _refused(refusal: Refusal, max_audio_s: float) -> PermanentFailure | MediaDecoderCrashed:
    """The error that the child's word stands for."""
    match refusal.word:
        case "unreadable":
            return MediaUnreadable(f"the file is no recording that can be read; {READABLE} can be")
        case "no-audio":
            return MediaWithoutAudio("the file has no audio track")
        case "too-long":
            length_s = refusal.numbers.get("container_duration_s", 0)
            length = f"{length_s:,.0f} s" if length_s > max_audio_s else f"more than {max_audio_s:,.0f} s"
            return AudioTooLong(f"the recording is {length} long; the limit is {max_audio_s:,.0f} s")
        case _:
            return MediaDecoderCrashed("the media decoder reported what it may not")
