"""Options and result of the task `transcribe`, and the result as text, SRT and WebVTT. Pure.

A client may keep a result for years, so its shape has a version, `v`; whoever changes the shape raises it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from claimcheck.languages import WHISPER_LANGUAGES

# `float` because the engines' numbers are numpy's; a millisecond is finer than any word time is known.
Seconds = Annotated[float, Field(ge=0), AfterValidator(lambda value: round(float(value), 3))]
"""Seconds from the start of the file, rounded to a millisecond."""

Confidence = Annotated[float, Field(ge=0, le=1), AfterValidator(lambda value: round(float(value), 3))]
"""The model's own probability, 0 to 1."""


def _known_language(code: str) -> str:
    if code not in WHISPER_LANGUAGES:
        raise ValueError(
            f"Whisper knows no language {code!r}; it takes ISO 639-1 codes in lower case, such as en or de"
        )
    return code


class TranscribeOptions(BaseModel):
    """What a client may ask of `transcribe`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    language: Annotated[str, Field(max_length=3), AfterValidator(_known_language)] | None = None
    """Language that is spoken; without it the first half minute of speech decides."""
    model: Annotated[str, Field(pattern=r"^[a-z0-9.-]{1,40}$")] | None = None
    """One of the models that the installation offers; without it its default."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Word(_Frozen):
    """One word. `text` has no surrounding space."""

    start_s: Seconds
    end_s: Seconds
    text: str
    confidence: Confidence


class Segment(_Frozen):
    """A phrase, as the model divided the speech."""

    start_s: Seconds
    end_s: Seconds
    text: str
    confidence: Confidence
    words: tuple[Word, ...] = ()


class TranscriptWarning(_Frozen):
    """Something the client should know about a result that is still a result."""

    slug: str | None = None
    detail: str
    start_s: Seconds | None = None
    end_s: Seconds | None = None


class Transcript(_Frozen):
    """The result of `transcribe`."""

    v: Literal[1] = 1
    language: str | None
    """Null if nobody named one and there was no speech to tell it from."""
    language_probability: Confidence | None
    """1 if the client named the language."""
    duration_s: Seconds
    """Length of the audio that was decoded."""
    model: str
    text: str
    segments: tuple[Segment, ...]
    warnings: tuple[TranscriptWarning, ...] = ()


def as_text(transcript: Transcript) -> str:
    """One line per segment; empty without speech."""
    return "".join(f"{segment.text}\n" for segment in transcript.segments)


def as_srt(transcript: Transcript) -> str:
    """SubRip: numbered cues, comma before the milliseconds; an empty file without speech.

    SRT has no escapes. An arrow inside a text would end a cue for some players, so it is written as a typographic one.
    """
    cues = enumerate(_cues(transcript), start=1)
    return "\n".join(
        f"{number}\n{_clock(start_s, ',')} --> {_clock(end_s, ',')}\n{text.replace('-->', '→')}\n"
        for number, (start_s, end_s, text) in cues
    )


def as_vtt(transcript: Transcript) -> str:
    """WebVTT; the bare header without speech. Source: W3C WebVTT, section 4.1 (`&`, `<` and `-->` are not text)."""
    cues = (
        f"\n{_clock(start_s, '.')} --> {_clock(end_s, '.')}\n{_escaped(text)}\n"
        for start_s, end_s, text in _cues(transcript)
    )
    return "WEBVTT\n" + "".join(cues)


def _cues(transcript: Transcript) -> Iterable[tuple[float, float, str]]:
    """Start, end and text of each segment; a text is one line, since an empty line would end its cue."""
    for segment in transcript.segments:
        text = " ".join(segment.text.split())
        if text:
            # Both formats want an end after the start; a millisecond is their smallest step.
            yield segment.start_s, max(segment.end_s, segment.start_s + 0.001), text


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(seconds: float, decimal: str) -> str:
    """`hh:mm:ss,mmm`; hours take more digits when they need them."""
    milliseconds = round(seconds * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    whole, milliseconds = divmod(milliseconds, 1000)
    return f"{hours:02d}:{minutes:02d}:{whole:02d}{decimal}{milliseconds:03d}"
