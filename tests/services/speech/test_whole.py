"""The stage `whole`: from an upload to a transcript, with the real tiny.en."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.word_error_rate import word_errors, words
from claimcheck.errors import LanguageNotSupported, MediaUnreadable, ModelNotOffered
from claimcheck.settings import MediaSettings
from claimcheck.transcript import Transcript, as_srt, as_vtt
from services.worker.media.decode import decode
from tests.services.speech.conftest import Transcribe
from tests.services.speech.recordings import RATE, encode, tone, write_wav
from tests.stack.components import model

JFK = "jfk_16k.flac"
AUSTEN = "librivox/sense_and_sensibility_01_austen_64kb-0880.wav"


def slugs(transcript: Transcript) -> list[str | None]:
    return [warning.slug for warning in transcript.warnings]


async def samples_of(path: Path, folder: Path) -> NDArray[np.int16]:
    """int16[n], mono, 16 kHz."""
    audio = await decode(path, folder, limits=MediaSettings(), max_audio_s=600)
    return np.fromfile(audio.path, dtype=np.int16)


@pytest.mark.parametrize("suffix", ["wav", "mp3", "m4a", "mp4", "ogg", "webm"])
async def test_every_format_gives_the_same_words(
    suffix: str, samples: Path, texts: dict[str, str], transcribe: Transcribe
) -> None:
    heard = await transcribe(samples / f"fmt_jfk.{suffix}")
    assert words(heard.text) == words(texts[JFK])
    assert heard.duration_s == pytest.approx(11.0, abs=0.1)
    assert (heard.language, heard.model, heard.warnings) == ("en", "tiny.en", ())


async def test_the_parts_of_a_transcript_agree(samples: Path, transcribe: Transcribe) -> None:
    heard = await transcribe(samples / JFK)
    assert " ".join(segment.text for segment in heard.segments) == heard.text
    for segment in heard.segments:
        assert " ".join(word.text for word in segment.words) == segment.text
        assert segment.start_s == segment.words[0].start_s
        assert segment.end_s == segment.words[-1].end_s
    times = [time for segment in heard.segments for word in segment.words for time in (word.start_s, word.end_s)]
    assert times == sorted(times)
    assert times[-1] <= heard.duration_s
    assert "-->" in as_srt(heard)
    assert as_vtt(heard).startswith("WEBVTT\n\n00:00:00")


async def test_read_speech_has_at_most_five_wrong_words_in_a_hundred(
    samples: Path, texts: dict[str, str], transcribe: Transcribe
) -> None:
    known = {name: text for name, text in texts.items() if name == JFK or name.startswith("librivox/")}
    total = errors = 0
    for name, text in known.items():
        heard = await transcribe(samples / name)
        total, errors = total + len(words(text)), errors + word_errors(words(text), words(heard.text))
    assert errors / total <= 0.05


@pytest.mark.parametrize("kind", ["silence", "noise", "tone", "a tenth of a second"])
async def test_without_speech_there_is_no_text(kind: str, transcribe: Transcribe, tmp_path: Path) -> None:
    made = {
        "silence": np.zeros(20 * RATE, np.int16),
        "noise": (np.random.default_rng(7).standard_normal(20 * RATE) * 300).astype(np.int16),
        "tone": tone(20.0),
        "a tenth of a second": tone(0.1),
    }
    heard = await transcribe(write_wav(tmp_path / "upload.wav", made[kind]))
    assert (heard.text, heard.segments, slugs(heard)) == ("", (), ["no-speech"])
    assert heard.language is None


async def test_words_keep_their_times_across_silences_windows_and_blocks(
    samples: Path, texts: dict[str, str], transcribe: Transcribe, tmp_path: Path
) -> None:
    clip, other = await samples_of(samples / JFK, tmp_path), await samples_of(samples / AUSTEN, tmp_path)
    # One at the start, one and another with a short pause, one across the border of two blocks, one at the end. Not the
    # same twice in one window: of what repeats itself Whisper takes samples at random, by its temperature fallback.
    starts_s, other_s = [0.0, 30.0, 55.0, 109.0], 41.3
    recording = np.zeros(120 * RATE, np.int16)
    for start_s, spoken in [*((start_s, clip) for start_s in starts_s), (other_s, other)]:
        recording[round(start_s * RATE) :][: len(spoken)] = spoken
    alone = starts_of("young", await transcribe(write_wav(tmp_path / "alone.wav", other)))
    heard = await transcribe(write_wav(tmp_path / "upload.wav", recording))
    # "Americans" alone is heard in it by every model; it is 1.5 to 2.2 s in.
    found = starts_of("merican", heard)
    assert found == [pytest.approx(start_s + found[0], abs=0.5) for start_s in starts_s]
    assert len(alone) == 1
    assert starts_of("young", heard) == [pytest.approx(other_s + start_s, abs=0.5) for start_s in alone]
    said = words(texts[JFK]) * 2 + words(texts[AUSTEN]) + words(texts[JFK]) * 2
    assert word_errors(said, words(heard.text)) <= 5
    assert heard.duration_s == 120


def starts_of(spoken: str, heard: Transcript) -> list[float]:
    """When each word begins that has this in it."""
    return [word.start_s for segment in heard.segments for word in segment.words if spoken in word.text]


async def test_progress_only_grows_and_ends_at_one(samples: Path, transcribe: Transcribe, tmp_path: Path) -> None:
    clip = await samples_of(samples / JFK, tmp_path)
    pause = np.zeros(3 * RATE, np.int16)
    told: list[float] = []
    await transcribe(write_wav(tmp_path / "upload.wav", np.concatenate([clip, pause] * 3)), progress=told.append)
    assert len(told) > 3
    assert told == sorted(told)
    assert 0 < told[0] < told[-1] <= 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("midcorrupt.mp3", ["media-damaged"]),
        ("midcorrupt.m4a", ["media-damaged"]),
        ("corrupt.mp3", ["media-damaged", "media-incomplete"]),
        ("trunc.mp3", ["media-incomplete"]),
    ],
)
async def test_a_damaged_recording_succeeds_with_a_warning(
    name: str, expected: list[str], samples: Path, transcribe: Transcribe
) -> None:
    heard = await transcribe(samples / "bad" / name)
    assert slugs(heard) == expected
    assert heard.text


async def test_an_incomplete_recording_says_from_when_to_when_it_is_missing(
    transcribe: Transcribe, tmp_path: Path
) -> None:
    source = tmp_path / "upload.mkv"
    encode(source, [(0.0, tone(10.0))], container="matroska", codec="pcm_s16le")
    with source.open("r+b") as file:
        file.truncate(source.stat().st_size // 2)
    heard = await transcribe(source)
    missing = heard.warnings[0]
    assert missing.slug == "media-incomplete"
    assert missing.start_s == heard.duration_s
    assert missing.end_s == pytest.approx(10.0, abs=0.1)


async def test_the_upload_leaves_the_scratch_folder_once_it_is_decoded(transcribe: Transcribe, tmp_path: Path) -> None:
    await transcribe(write_wav(tmp_path / "upload.wav", tone(1.0)))
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["audio.pcm"]


async def test_an_unreadable_upload_fails_the_stage(transcribe: Transcribe, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a recording")
    with pytest.raises(MediaUnreadable):
        await transcribe(tmp_path / "notes.txt")


async def test_an_english_model_refuses_another_language(transcribe: Transcribe, tmp_path: Path) -> None:
    with pytest.raises(LanguageNotSupported, match=r"tiny\.en knows only en; the options ask for de"):
        await transcribe(write_wav(tmp_path / "upload.wav", tone(1.0)), language="de")


async def test_a_model_that_is_not_offered_is_refused(transcribe: Transcribe, tmp_path: Path) -> None:
    with pytest.raises(ModelNotOffered, match=r"large-v3; this installation offers tiny\.en, base"):
        await transcribe(write_wav(tmp_path / "upload.wav", tone(1.0)), model="large-v3")


async def test_a_multilingual_model_tells_the_language_and_refuses_one_it_has_not(
    samples: Path, transcribe: Transcribe, tmp_path: Path
) -> None:
    model("base")
    spoken = await samples_of(samples / "multilingual.mp3", tmp_path)
    source = write_wav(tmp_path / "upload.wav", spoken[32 * RATE : 44 * RATE])
    heard = await transcribe(source, model="base")
    assert heard.language == "de"
    assert heard.language_probability is not None
    assert heard.language_probability > 0.9
    # Cantonese came with large-v3.
    with pytest.raises(LanguageNotSupported, match="base does not know yue"):
        await transcribe(source, model="base", language="yue")
