"""Short recordings in many formats, made here: FFmpeg's muxers write what clients' programs write."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

import av
import numpy as np

SAMPLES = 1024


@dataclass(frozen=True)
class Format:
    """A container with one codec for sound and perhaps one for pictures, as FFmpeg calls them."""

    extension: str
    container: str
    sound: str
    pictures: str = ""
    rate_hz: int = 16_000
    options: dict[str, str] = field(default_factory=dict)


FORMATS = (
    Format("wav", "wav", "pcm_s16le"),
    Format("wav", "wav", "pcm_s16le", options={"rf64": "always"}),
    Format("w64", "w64", "pcm_s16le"),
    Format("mp3", "mp3", "libmp3lame"),
    Format("mp3", "mp3", "libmp3lame", options={"id3v2_version": "0", "write_xing": "0"}),
    Format("mp2", "mp2", "mp2"),
    Format("aac", "adts", "aac"),
    Format("ac3", "ac3", "ac3", rate_hz=48_000),
    Format("flac", "flac", "flac"),
    Format("ogg", "ogg", "libopus", rate_hz=48_000),
    Format("oga", "ogg", "flac"),
    Format("opus", "opus", "libopus", rate_hz=48_000),
    Format("m4a", "ipod", "aac"),
    Format("m4a", "mp4", "alac"),
    Format("mp4", "mp4", "aac", "mpeg4"),
    Format("mp4", "mp4", "aac", options={"movflags": "frag_keyframe+empty_moov"}),
    Format("mov", "mov", "aac", "mpeg4"),
    Format("3gp", "3gp", "aac", "mpeg4"),
    Format("mkv", "matroska", "aac", "mpeg4"),
    Format("mka", "matroska", "libopus", rate_hz=48_000),
    Format("webm", "webm", "libopus", "libvpx", rate_hz=48_000),
    Format("avi", "avi", "libmp3lame", "mpeg4"),
    Format("flv", "flv", "aac", "flv", rate_hz=44_100),
    Format("ts", "mpegts", "aac", "mpeg2video"),
    Format("aiff", "aiff", "pcm_s16be"),
    Format("au", "au", "pcm_s16be"),
    Format("caf", "caf", "pcm_s16le"),
    Format("amr", "amr", "libopencore_amrnb", rate_hz=8_000),
    Format("wma", "asf", "wmav2", rate_hz=44_100),
    Format("tta", "tta", "tta"),
    Format("wv", "wv", "wavpack"),
)


def recording(form: Format) -> bytes:
    """About a second of a tone. Raises av.codec.codec.UnknownCodecError where FFmpeg was built without the codec."""
    written = io.BytesIO()
    with av.open(written, "w", format=form.container, options=form.options) as container:
        sound = container.add_stream(form.sound, rate=form.rate_hz)
        assert isinstance(sound, av.AudioStream)
        sound.layout, sound.bit_rate = "mono", 64_000
        pictures = _add_pictures(container, form.pictures) if form.pictures else None
        _write_sound(container, sound, form.rate_hz)
        if pictures is not None:
            _write_pictures(container, pictures)
    return written.getvalue()


def _add_pictures(container: av.container.OutputContainer, codec: str) -> av.VideoStream:
    stream = container.add_stream(codec, rate=5)
    assert isinstance(stream, av.VideoStream)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    return stream


def _write_sound(container: av.container.OutputContainer, stream: av.AudioStream, rate_hz: int) -> None:
    resampler = av.AudioResampler(format=stream.format, layout="mono", rate=rate_hz)
    tone = (np.sin(np.arange(SAMPLES) / 5) * 8000).astype(np.int16)[None, :]
    for number in range(20):
        frame = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
        frame.sample_rate, frame.pts = rate_hz, number * SAMPLES
        for resampled in resampler.resample(frame):
            container.mux(stream.encode(resampled))
    container.mux(stream.encode(None))


def _write_pictures(container: av.container.OutputContainer, stream: av.VideoStream) -> None:
    for number in range(3):
        frame = av.VideoFrame(64, 48, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.pts = number
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
