"""Options of `transcribe`, its result, and the result as text, SRT and WebVTT."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from claimcheck.languages import WHISPER_LANGUAGES
from claimcheck.transcript import Segment, TranscribeOptions, Transcript, Word, as_srt, as_text, as_vtt


def segment(start_s: float, end_s: float, text: str) -> Segment:
    return Segment(start_s=start_s, end_s=end_s, text=text, confidence=0.5)


def transcript(*segments: Segment) -> Transcript:
    return Transcript(
        language="en",
        language_probability=1.0,
        duration_s=10.0,
        model="tiny.en",
        text=" ".join(s.text for s in segments),
        segments=segments,
    )


TWO = transcript(segment(0.0, 1.5, "One, two."), segment(3661.25, 3662.0, "Three."))


def test_text_has_a_line_per_segment() -> None:
    assert as_text(TWO) == "One, two.\nThree.\n"


def test_srt_numbers_its_cues_and_has_a_comma_before_the_milliseconds() -> None:
    assert as_srt(TWO) == ("1\n00:00:00,000 --> 00:00:01,500\nOne, two.\n\n2\n01:01:01,250 --> 01:01:02,000\nThree.\n")


def test_vtt_begins_with_its_header_and_has_a_point_before_the_milliseconds() -> None:
    assert as_vtt(TWO) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nOne, two.\n\n01:01:01.250 --> 01:01:02.000\nThree.\n"
    )


def test_a_transcript_without_speech_gives_files_without_cues() -> None:
    empty = transcript()
    assert (as_text(empty), as_srt(empty), as_vtt(empty)) == ("", "", "WEBVTT\n")


@pytest.mark.parametrize(
    ("text", "srt", "vtt"),
    [
        ("a --> b", "a → b", "a --&gt; b"),
        ("R&D <b>", "R&D <b>", "R&amp;D &lt;b&gt;"),
        ("two\n\nlines", "two lines", "two lines"),
        ("größer, 大きい", "größer, 大きい", "größer, 大きい"),
    ],
)
def test_text_that_would_break_a_cue_is_escaped(text: str, srt: str, vtt: str) -> None:
    one = transcript(segment(0, 1, text))
    assert as_srt(one).splitlines()[2:] == [srt]
    assert as_vtt(one).splitlines()[3:] == [vtt]


def test_a_segment_of_spaces_is_no_cue() -> None:
    assert as_srt(transcript(segment(0, 1, "  "))) == ""


def test_a_cue_ends_after_it_starts() -> None:
    assert "00:00:02.000 --> 00:00:02.001" in as_vtt(transcript(segment(2, 2, "Now.")))


@pytest.mark.parametrize(
    ("seconds", "clock"),
    [(0.9996, "00:00:01.000"), (59.9994, "00:00:59.999"), (3599.9999, "01:00:00.000"), (360_000.0, "100:00:00.000")],
)
def test_times_are_rounded_to_milliseconds_and_carried(seconds: float, clock: str) -> None:
    assert as_vtt(transcript(segment(seconds, seconds + 1, "x"))).splitlines()[2].startswith(clock + " -->")


def test_a_result_survives_json() -> None:
    words = (Word(start_s=0.12345, end_s=0.5, text="one", confidence=0.98765),)
    made = transcript(Segment(start_s=0.12345, end_s=0.5, text="one", confidence=0.5, words=words))
    again = Transcript.model_validate_json(made.model_dump_json())
    assert again == made
    assert again.v == 1
    assert again.segments[0].words[0].start_s == 0.123
    assert again.segments[0].words[0].confidence == 0.988


@pytest.mark.parametrize("confidence", [-0.1, 1.1, float("nan")])
def test_a_confidence_is_a_probability(confidence: float) -> None:
    with pytest.raises(ValidationError):
        Segment(start_s=0, end_s=1, text="x", confidence=confidence)


@pytest.mark.parametrize(
    "options", [{}, {"language": "de"}, {"language": "yue"}, {"model": "large-v3"}, {"language": None, "model": None}]
)
def test_options_that_are_taken(options: dict[str, Any]) -> None:
    TranscribeOptions.model_validate(options)


@pytest.mark.parametrize(
    "options",
    [
        {"language": "xx"},
        {"language": "EN"},
        {"language": "english"},
        {"language": 5},
        {"model": "../base"},
        {"model": "a" * 41},
        {"model": ""},
        {"model": "base\n"},
        {"langauge": "en"},
    ],
)
def test_options_that_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TranscribeOptions.model_validate(options)


def test_an_unknown_language_is_named_in_the_refusal() -> None:
    with pytest.raises(ValidationError, match="knows no language 'xx'"):
        TranscribeOptions(language="xx")


def test_there_are_a_hundred_languages() -> None:
    assert len(WHISPER_LANGUAGES) == 100
