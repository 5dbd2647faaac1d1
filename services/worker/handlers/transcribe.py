"""The stage of the task `transcribe`: a recording as a whole, from upload to transcript."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from claimcheck.transcript import TranscribeOptions, Transcript, TranscriptWarning
from services.worker.engines.whisper import Speech
from services.worker.media.decode import DecodedAudio, decode
from services.worker.stage import StageRun

DECODED = 0.05  # share of the progress: two hours decode in 8 s and transcribe in minutes
TOLERANCE = 0.02  # the length in an MP3 without a header is a guess, off by about 1 %
TOLERANCE_S = 0.5  # in short files a frame of padding is more than 2 %


async def whole(run: StageRun) -> dict[str, Any]:
    """Transcribe the upload; the result is a Transcript.

    Raises the errors of `decode`, of `SpeechEngine.transcribe` and of `run.fetch_upload`.
    """
    options = TranscribeOptions.model_validate(run.options)
    audio = await _decoded(run)
    run.progress(DECODED)
    speech = await run.engines.speech.transcribe(
        audio.path,
        language=options.language,
        model=options.model,
        progress=lambda done: run.progress(DECODED + (1 - DECODED) * done),
    )
    return _transcript(audio, speech).model_dump(mode="json")


async def _decoded(run: StageRun) -> DecodedAudio:
    upload = run.folder / "upload"
    await run.fetch_upload(upload)
    engines = run.engines
    audio = await decode(upload, run.folder, limits=engines.media, max_audio_s=engines.speech.settings.max_audio_s)
    upload.unlink()  # scratch is shared, and a video is many times its audio
    return audio


def _transcript(audio: DecodedAudio, speech: Speech) -> Transcript:
    return Transcript(
        language=speech.language,
        language_probability=speech.language_probability,
        duration_s=audio.duration_s,
        model=speech.model,
        text=speech.text,
        segments=speech.segments,
        warnings=tuple(_warnings(audio, speech)),
    )


def _warnings(audio: DecodedAudio, speech: Speech) -> Iterator[TranscriptWarning]:
    """What the client should know of a recording that was read only in part, or holds nothing to read."""
    if audio.bad_packets:
        detail = f"parts of the recording are damaged: {audio.bad_packets} packets could not be decoded"
        yield TranscriptWarning(slug="media-damaged", detail=detail)
    claimed_s = audio.container_duration_s or 0.0
    if claimed_s - audio.duration_s > max(TOLERANCE * claimed_s, TOLERANCE_S):
        detail = f"the file says it is {claimed_s:,.1f} s long; {audio.duration_s:,.1f} s could be decoded"
        yield TranscriptWarning(slug="media-incomplete", detail=detail, start_s=audio.duration_s, end_s=claimed_s)
    if not speech.segments:
        yield TranscriptWarning(slug="no-speech", detail="no speech was found in the recording")
