"""How decoded audio is cut: blocks for the speech detector, windows for Whisper."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.worker.media.windows import RATE, Samples, Span, find_speech, read, speech, windows


def spans(*seconds: tuple[float, float]) -> list[Span]:
    return [Span(round(start * RATE), round(end * RATE)) for start, end in seconds]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([], []),
        ([(1, 2)], [(1, 2)]),
        ([(0, 5), (6, 10)], [(0, 10)]),
        ([(0, 5), (6.1, 10)], [(0, 5), (6.1, 10)]),
        ([(0, 20), (20.5, 28)], [(0, 28)]),
        ([(0, 20), (20.5, 28.1)], [(0, 20), (20.5, 28.1)]),
        ([(0, 10), (10, 20), (20, 30), (30, 40)], [(0, 20), (20, 40)]),
        ([(0, 40)], [(0, 40)]),
    ],
)
def test_neighbours_are_joined_up_to_a_window_and_never_across_a_pause(
    found: list[tuple[float, float]], expected: list[tuple[float, float]]
) -> None:
    assert list(windows(spans(*found), window_s=28, pause_s=1)) == spans(*expected)


@given(st.lists(st.tuples(st.integers(0, 50_000), st.integers(1, 28 * RATE)), max_size=40))
def test_windows_hold_every_sample_of_speech_once_and_in_order(pieces: list[tuple[int, int]]) -> None:
    found, position = [], 0
    for pause, length in pieces:
        found.append(Span(position + pause, position + pause + length))
        position = found[-1].end
    made = list(windows(found, window_s=28, pause_s=1))
    assert all(window.duration_s <= 28 for window in made)
    assert all(before.end <= after.start for before, after in itertools.pairwise(made))
    held = [sum(window.start <= span.start and span.end <= window.end for window in made) for span in found]
    assert held == [1] * len(found)


def loud(samples: Samples) -> list[Span]:
    """A detector for tests: speech is what is not zero, in runs that may be 28 s long."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (samples != 0).astype(np.int8), [0]])))
    return [
        Span(start, min(start + 28 * RATE, int(end)))
        for begin, end in zip(edges[::2], edges[1::2], strict=True)
        for start in range(int(begin), int(end), 28 * RATE)
    ]


def write(path: Path, duration_s: float, loud_s: list[tuple[float, float]]) -> Path:
    pcm = np.zeros(round(duration_s * RATE), dtype="<i2")
    for span in spans(*loud_s):
        pcm[span.start : span.end] = 1000
    pcm.tofile(path)
    return path


@pytest.mark.parametrize(
    "loud_s",
    [
        [],
        [(0, 3)],
        [(2, 4), (58, 62)],
        [(59, 60), (61, 65)],
        [(60, 61)],
        [(100, 110), (118, 121), (179.9, 180.1)],
        [(176, 180.5)],
    ],
)
def test_speech_across_the_border_of_two_blocks_is_found_once_and_whole(
    loud_s: list[tuple[float, float]], tmp_path: Path
) -> None:
    pcm = write(tmp_path / "audio.pcm", 180.5, loud_s)
    assert list(speech(pcm, loud, block_s=60)) == spans(*loud_s)


def test_speech_without_a_pause_is_cut_into_spans_that_leave_nothing_out(tmp_path: Path) -> None:
    pcm = write(tmp_path / "audio.pcm", 200, [(0, 200)])
    found = list(speech(pcm, loud, block_s=60))
    assert found[0].start == 0
    assert found[-1].end == 200 * RATE
    assert all(before.end == after.start for before, after in itertools.pairwise(found))
    assert max(span.duration_s for span in found) <= 28


def test_samples_are_floats_between_minus_one_and_one(tmp_path: Path) -> None:
    pcm = tmp_path / "audio.pcm"
    np.array([0, 16384, -32768, 32767], dtype="<i2").tofile(pcm)
    samples = read(pcm, Span(1, 10))
    assert samples.dtype == np.float32
    assert samples.tolist() == [0.5, -1.0, pytest.approx(1, abs=1e-4)]


def test_an_empty_file_has_no_speech(tmp_path: Path) -> None:
    assert list(speech(write(tmp_path / "audio.pcm", 0, []))) == []


@pytest.mark.parametrize("kind", ["silence", "noise", "tone"])
def test_the_detector_takes_neither_silence_nor_noise_nor_a_tone_for_speech(kind: str) -> None:
    time_s = np.arange(20 * RATE) / RATE
    made = {
        "silence": np.zeros(20 * RATE),
        "noise": np.random.default_rng(7).standard_normal(20 * RATE) * 0.01,
        "tone": np.sin(2 * np.pi * 440 * time_s) * 0.3,
    }
    assert find_speech(made[kind].astype(np.float32)) == []
