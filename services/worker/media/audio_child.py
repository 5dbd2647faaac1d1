"""Decode a client's file to PCM. Run by `confine.py` under limits, never imported by the worker.

Writes TARGET (signed 16 bit, mono, 16 kHz, little endian) and reports `duration_s`, `container_duration_s` (null if the
file does not say), `bad_packets` and `codec`; or refuses with `unreadable`, `no-audio` or `too-long`. Imports little
but PyAV, to start in 0.1 s and to hold nothing of value when a hostile file takes it over.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, BinaryIO

import av
import av.error
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet

from services.worker.media.confine import Refused

RATE = 16_000  # Whisper's and Silero's sample rate
SAMPLE_BYTES = 2

# Containers, by the names of FFmpeg's demuxers. A list of what is allowed, since FFmpeg also reads playlists (hls,
# dash, concat, sdp), which would open other files and addresses, and `tty`, which takes any text for a video.
FORMATS = "aac,ac3,aiff,amr,ape,asf,au,avi,caf,eac3,flac,flv,matroska,mov,mp3,mpeg,mpegts,ogg,tta,voc,w64,wav,wv"
OPTIONS = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}

GAP_S = 0.1  # shorter gaps between packets are rounding (Matroska and FLV count milliseconds)
LONGEST_GAP_S = 600.0  # a longer one is a clock that jumped (MPEG-TS wraps after 26 h), not silence
PADDING_S = 0.5  # what encoders append to the last frame: up to 2,048 samples, 0.26 s at 8 kHz


class TooLong(Exception):
    """There is more than the longest recording."""


class Output:
    """The PCM file; counts the samples and ends the decoding beyond the longest recording."""

    def __init__(self, file: BinaryIO, max_audio_s: float) -> None:
        self._file = file
        self._limit = round((max_audio_s + PADDING_S) * RATE)
        self.samples = 0

    @property
    def position_s(self) -> float:
        return self.samples / RATE

    def write(self, pcm: bytes) -> None:
        self.samples += len(pcm) // SAMPLE_BYTES
        if self.samples > self._limit:
            raise TooLong
        self._file.write(pcm)

    def silence(self, seconds: float) -> None:
        for _ in range(int(seconds)):
            self.write(bytes(RATE * SAMPLE_BYTES))
        self.write(bytes(int(seconds % 1 * RATE) * SAMPLE_BYTES))


class Mono:
    """Frames of one stream to PCM at 16 kHz. Begins anew when the format changes in the middle of a stream."""

    def __init__(self) -> None:
        self._format: tuple[str, str, int] | None = None
        self._resampler: AudioResampler | None = None

    def pcm(self, frame: AudioFrame) -> Iterator[bytes]:
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if kind != self._format:
            yield from self.rest()
            self._resampler, self._format = AudioResampler(format="s16", layout="mono", rate=RATE), kind
        frame.pts = None  # the resampler counts from 0; gaps are filled by whoever calls it
        assert self._resampler is not None
        yield from map(_bytes, self._resampler.resample(frame))

    def rest(self) -> Iterator[bytes]:
        if self._resampler is not None:
            yield from map(_bytes, self._resampler.resample(None))
            self._resampler = None


def _bytes(frame: AudioFrame) -> bytes:
    return bytes(frame.planes[0])[: frame.samples * SAMPLE_BYTES]


class Clock:
    """How much is missing between packets, so that words keep their times after it.

    By the packets' own times alone: raw AAC and MP3 have none, and those that FFmpeg counts for them can be wrong.
    """

    def __init__(self, start_s: float) -> None:
        self._expected_s = start_s
        self._missing_s = 0.0

    def gap_s(self, packet: Packet[AudioStream], decoded_s: float) -> float:
        """Seconds of silence to put before the packet, whose frames last `decoded_s`; 0 if it follows on."""
        if packet.pts is None:
            return 0.0
        time_base = float(packet.time_base)
        start_s = packet.pts * time_base
        missing_s = start_s - self._expected_s
        self._expected_s = start_s + (packet.duration * time_base if packet.duration else decoded_s)
        if missing_s < LONGEST_GAP_S:
            self._missing_s = max(0.0, self._missing_s + missing_s)
        if self._missing_s < GAP_S:
            return 0.0
        gap_s, self._missing_s = self._missing_s, 0.0
        return gap_s


def decode(container: InputContainer, stream: AudioStream, output: Output) -> int:
    """Write the whole stream; returns how many packets could not be decoded."""
    bad_packets, mono = 0, Mono()
    clock = Clock((container.start_time or 0) / av.time_base)
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError as error:
            _reraise_memory(error)
            bad_packets += 1  # the file cannot be read on from here; what came before stands
            break
        if packet is None:
            break
        try:
            frames = packet.decode()
            output.silence(clock.gap_s(packet, sum(frame.samples / frame.sample_rate for frame in frames)))
            for pcm in itertools.chain.from_iterable(map(mono.pcm, frames)):
                output.write(pcm)
        except (av.error.FFmpegError, ValueError, ArithmeticError) as error:
            # One packet at a time: PyAV's own loop over a container ends without a word at the first bad packet,
            # and half of a recording was missing from the middle on.
            _reraise_memory(error)
            bad_packets += 1
    for pcm in mono.rest():
        output.write(pcm)
    return bad_packets


def _reraise_memory(error: Exception) -> None:
    if isinstance(error, MemoryError):
        raise error


def report(source: str, target: str, max_audio_s: str) -> dict[str, Any]:
    """Decode the first audio track of the file."""
    try:
        return decoded(source, target, float(max_audio_s))
    except av.error.FFmpegError as error:
        _reraise_memory(error)
        raise Refused("unreadable", type(error).__name__) from error


def decoded(source: str, target: str, max_audio_s: float) -> dict[str, Any]:
    # The prefix keeps a name with a colon from being taken for an address.
    with av.open("file:" + source, options=OPTIONS, metadata_errors="ignore") as container:
        length_s = container.duration / av.time_base if container.duration else None
        if not container.streams.audio:
            raise Refused("no-audio")
        stream = container.streams.audio[0]
        codec = stream.codec_context.name if stream.codec_context else "unknown"
        with open(target, "wb") as file:  # noqa: PTH123 - pathlib would be one more import
            output = Output(file, max_audio_s)
            try:
                bad_packets = decode(container, stream, output)
            except TooLong as error:
                raise Refused("too-long", container_duration_s=length_s) from error
    return {
        "duration_s": output.position_s,
        "container_duration_s": length_s,
        "bad_packets": bad_packets,
        "codec": codec,
    }
