"""The media child: what it decodes, what it refuses, and how it dies."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from claimcheck.errors import (
    AudioTooLong,
    JobFailure,
    MediaDecoderCrashed,
    MediaUnreadable,
    MediaWithoutAudio,
    ScratchFull,
)
from claimcheck.settings import MediaSettings
from services.worker.media.decode import CHILD, DecodedAudio, decode
from tests.services.speech import recordings
from tests.services.speech.recordings import RATE, encode, m4a, streamed_webm, tone, write_wav
from tests.stack.children import children_with
from tests.stack.waiting import eventually, until

LIMITS = MediaSettings()


async def run(source: Path, folder: Path, *, limits: MediaSettings = LIMITS, max_audio_s: float = 60) -> DecodedAudio:
    return await decode(source, folder, limits=limits, max_audio_s=max_audio_s)


def pcm(audio: DecodedAudio) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    return np.fromfile(audio.path, dtype="<i2")


def loudness(audio: DecodedAudio, start_s: float, end_s: float) -> float:
    """Mean absolute sample between two times; a tone has about 6,400."""
    return float(np.abs(pcm(audio)[round(start_s * RATE) : round(end_s * RATE)].astype(float)).mean())


@pytest.mark.parametrize(
    ("container", "codec", "rate"),
    [
        ("wav", "pcm_s16le", 8000),
        ("mp3", "libmp3lame", 44_100),
        ("mp4", "aac", 44_100),
        ("adts", "aac", 16_000),
        ("ogg", "libopus", 48_000),
        ("webm", "libopus", 48_000),
        ("flac", "flac", 44_100),
        ("matroska", "pcm_s16le", 16_000),
        ("mpegts", "aac", 48_000),
    ],
)
async def test_a_recording_becomes_16_khz_mono_of_the_same_length(
    container: str, codec: str, rate: int, tmp_path: Path
) -> None:
    source = tmp_path / "upload"
    encode(source, [(0.0, tone(2.0, rate=rate))], container=container, codec=codec, rate=rate)
    audio = await run(source, tmp_path)
    assert audio.duration_s == pytest.approx(2.0, abs=0.15)
    assert len(pcm(audio)) == round(audio.duration_s * RATE)
    assert loudness(audio, 0.5, 1.5) == pytest.approx(6400, rel=0.1)
    assert audio.bad_packets == 0


async def test_stereo_is_mixed_down(tmp_path: Path) -> None:
    left = tone(1.0)
    stereo = np.stack([left, np.zeros_like(left)], axis=1).ravel()
    # Header and samples of a mono file of twice the length, with two channels written into the header.
    source = write_wav(tmp_path / "upload", stereo)
    head = bytearray(source.read_bytes())
    head[22:24], head[32:34] = (2).to_bytes(2, "little"), (4).to_bytes(2, "little")
    source.write_bytes(head)
    audio = await run(source, tmp_path)
    assert audio.duration_s == pytest.approx(1.0)
    assert loudness(audio, 0.2, 0.8) == pytest.approx(3200, rel=0.5)


async def test_what_follows_a_gap_keeps_its_time(tmp_path: Path) -> None:
    source = tmp_path / "upload"
    encode(source, [(0.0, tone(1.0)), (3.0, tone(1.0))], container="matroska", codec="pcm_s16le")
    audio = await run(source, tmp_path)
    assert audio.duration_s == pytest.approx(4.0, abs=0.1)
    assert loudness(audio, 1.1, 2.9) == 0
    assert loudness(audio, 3.1, 3.9) > 6000


async def test_a_clock_that_jumps_by_hours_is_no_gap(tmp_path: Path) -> None:
    source = tmp_path / "upload"
    encode(source, [(0.0, tone(1.0)), (90_000.0, tone(1.0))], container="matroska", codec="pcm_s16le")
    assert (await run(source, tmp_path)).duration_s == pytest.approx(2.0, abs=0.1)


async def test_a_sample_rate_that_changes_midway_is_followed(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    encode(first, [(0.0, tone(1.0))], container="adts", codec="aac")
    encode(second, [(0.0, tone(1.0, rate=44_100))], container="adts", codec="aac", rate=44_100)
    source = tmp_path / "upload"
    source.write_bytes(first.read_bytes() + second.read_bytes())
    assert (await run(source, tmp_path)).duration_s == pytest.approx(2.1, abs=0.25)


async def test_damage_in_the_middle_costs_the_packets_it_hits(tmp_path: Path) -> None:
    source = m4a(tmp_path / "upload", 20.0)
    data = bytearray(source.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 200] = np.random.default_rng(5).bytes(200)
    source.write_bytes(data)
    audio = await run(source, tmp_path)
    assert audio.bad_packets >= 1
    assert audio.duration_s == pytest.approx(20.0, abs=0.5)


async def test_a_recording_that_breaks_off_is_decoded_up_to_there(tmp_path: Path) -> None:
    source = write_wav(tmp_path / "upload", tone(10.0))
    os.truncate(source, source.stat().st_size // 2)
    audio = await run(source, tmp_path)
    assert audio.duration_s == pytest.approx(5.0, abs=0.1)
    assert audio.container_duration_s is not None


@pytest.mark.parametrize("kind", recordings.NO_RECORDINGS)
async def test_a_file_that_is_no_recording_is_refused_for_good(kind: str, tmp_path: Path) -> None:
    source = tmp_path / "upload"
    recordings.NO_RECORDINGS[kind](source)
    with pytest.raises(MediaUnreadable):
        await run(source, tmp_path)


async def test_a_video_without_sound_is_told_apart(tmp_path: Path) -> None:
    recordings.video_only(tmp_path / "upload")
    with pytest.raises(MediaWithoutAudio):
        await run(tmp_path / "upload", tmp_path)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("empty.mp3", MediaUnreadable),
        ("image.png", MediaUnreadable),
        ("notes.txt", MediaUnreadable),
        ("random.mp4", MediaUnreadable),
        ("text.mp3", MediaUnreadable),
        ("trunc_nomoov.m4a", MediaUnreadable),
        ("video_only.mp4", MediaWithoutAudio),
    ],
)
async def test_bad_samples_have_their_errors(
    name: str, expected: type[JobFailure], samples: Path, tmp_path: Path
) -> None:
    with pytest.raises(expected):
        await run(samples / "bad" / name, tmp_path)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A port where a request would arrive."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


PLAYLISTS = {
    "HLS": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{address}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile '{address}'\n",
    "SDP": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 9 RTP/AVP 0\na=control:{address}\n",
    "DASH": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>{address}</BaseURL></MPD>\n',
    "ASX": "[Reference]\nRef1={address}\n",
}


@pytest.mark.parametrize("kind", PLAYLISTS)
@pytest.mark.parametrize("suffix", ["", ".m3u8"])
async def test_a_playlist_opens_neither_a_file_nor_an_address(
    kind: str, suffix: str, listener: socket.socket, tmp_path: Path
) -> None:
    secret = write_wav(tmp_path / "secret.wav", tone(2.0))
    port = listener.getsockname()[1]
    for address in (str(secret), f"file://{secret}", f"http://127.0.0.1:{port}/a.wav", f"tcp://127.0.0.1:{port}"):
        source = tmp_path / f"upload{suffix}"
        source.write_text(PLAYLISTS[kind].format(address=address))
        with pytest.raises(MediaUnreadable):
            await run(source, tmp_path)
    with pytest.raises(BlockingIOError):
        listener.accept()


async def test_the_longest_recording_is_inclusive(tmp_path: Path) -> None:
    source = write_wav(tmp_path / "upload", tone(3.0))
    assert (await run(source, tmp_path, max_audio_s=3)).duration_s == 3


async def test_a_longer_recording_is_refused_with_its_length_and_the_limit(tmp_path: Path) -> None:
    source = write_wav(tmp_path / "upload", tone(5.0))
    with pytest.raises(AudioTooLong, match=r"5 s long; the limit is 3 s"):
        await run(source, tmp_path, max_audio_s=3)


async def test_a_longer_recording_that_does_not_say_so_is_refused_too(tmp_path: Path) -> None:
    source = streamed_webm(tmp_path / "upload", 5.0)
    with pytest.raises(AudioTooLong, match=r"more than 3 s long; the limit is 3 s"):
        await run(source, tmp_path, max_audio_s=3)


async def test_a_child_beyond_its_memory_fails_alone(tmp_path: Path) -> None:
    recordings.huge_table(tmp_path / "upload")
    with pytest.raises(MediaDecoderCrashed, match="268,435,456 bytes"):
        await run(tmp_path / "upload", tmp_path, limits=MediaSettings(memory_bytes=256 * 1024 * 1024))


async def test_a_child_beyond_its_cpu_time_fails_alone(tmp_path: Path) -> None:
    source = recordings.hours_of_silence(tmp_path / "upload", 6)
    with pytest.raises(MediaDecoderCrashed, match="1 s of CPU"):
        await run(source, tmp_path, limits=MediaSettings(cpu_s=1), max_audio_s=24 * 3600)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
async def test_a_full_disk_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "audio.pcm").symlink_to("/dev/full")
    with pytest.raises(ScratchFull):
        await run(write_wav(tmp_path / "upload", tone(3.0)), tmp_path)


class Slow:
    """A file that never ends: a pipe into which nobody writes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path)

    def is_open(self) -> bool:
        """Whether a child reads it by now; from then on it waits for the first byte."""
        try:
            self._end = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return False
        return True

    def close(self) -> None:
        os.close(self._end)


@pytest.fixture
def slow(tmp_path: Path) -> Slow:
    return Slow(tmp_path / "upload")


def children(process: psutil.Process | None = None) -> list[psutil.Process]:
    return children_with(str(CHILD), process)


async def _opened(slow: Slow) -> bool:
    return slow.is_open()


async def test_a_child_is_dead_when_its_cancelled_caller_returns(slow: Slow, tmp_path: Path) -> None:
    task = asyncio.create_task(run(slow.path, tmp_path))
    await eventually(lambda: _opened(slow), "the child reads the file")
    assert children()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not children()
    slow.close()


async def test_a_child_beyond_its_wall_time_is_killed(slow: Slow, tmp_path: Path) -> None:
    with pytest.raises(MediaDecoderCrashed, match=r"longer than 0\.5 s"):
        await run(slow.path, tmp_path, limits=MediaSettings(wall_s=0.5))
    assert not children()


async def test_a_child_that_is_killed_is_a_failure_to_retry(slow: Slow, tmp_path: Path) -> None:
    task = asyncio.create_task(run(slow.path, tmp_path))
    await eventually(lambda: _opened(slow), "the child reads the file")
    children()[0].kill()
    with pytest.raises(MediaDecoderCrashed, match="SIGKILL"):
        await task
    slow.close()


WORKER = """
import asyncio, sys
from pathlib import Path
from claimcheck.settings import MediaSettings
from services.worker.media.decode import decode
asyncio.run(decode(Path(sys.argv[1]), Path(sys.argv[2]), limits=MediaSettings(), max_audio_s=60))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills a child with its parent")
def test_a_child_dies_with_its_worker(slow: Slow, tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", WORKER, str(slow.path), str(tmp_path)]) as worker:
        until(slow.is_open, "the child reads the file", deadline_s=60)
        orphans = children(psutil.Process(worker.pid))
        assert orphans
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    assert psutil.wait_procs(orphans, timeout=10)[1] == []
    slow.close()


async def test_a_child_inherits_neither_secrets_nor_files(
    slow: Slow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAIMCHECK_RECORDS__KEY", "secret")
    task = asyncio.create_task(run(slow.path, tmp_path))
    await eventually(lambda: _opened(slow), "the child reads the file")
    child = children()[0]
    assert "CLAIMCHECK_RECORDS__KEY" not in child.environ()
    assert Path(child.cwd()) == tmp_path
    assert child.net_connections() == []
    assert {file.path for file in child.open_files()} <= {str(slow.path)}
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    slow.close()
