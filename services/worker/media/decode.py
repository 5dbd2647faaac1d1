"""Run the media child on a client's file and say what became of it. The worker itself never opens the file."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from claimcheck.errors import AudioTooLong, MediaDecoderCrashed, MediaUnreadable, MediaWithoutAudio, ScratchFull
from claimcheck.settings import MediaSettings

log = logging.getLogger(__name__)

CHILD = Path(__file__).with_name("child.py")
# Nothing of the worker's environment, which holds keys. The encoding is for file names.
ENVIRONMENT = {"LANG": "C.UTF-8"}
READABLE = "WAV, FLAC, MP3, AAC, M4A, MP4, MOV, Ogg, Opus, WebM, Matroska, AVI, WMA and others"
REPORT_BYTES = 64 * 1024
# Numbers only: whoever takes the child over writes the rest of its report.
LOGGED = ("duration_s", "container_duration_s", "bad_packets")


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
    try:
        async with asyncio.timeout(limits.wall_s):
            returncode, output = await _run(_command(source, target, limits, max_audio_s), folder)
    except TimeoutError as error:
        raise MediaDecoderCrashed(f"decoding took longer than {limits.wall_s:g} s, the limit") from error
    report = _report(returncode, output, limits)
    if "error" in report:
        _refuse(report, limits, max_audio_s)
    log.info("media.decoded", extra={name: report[name] for name in LOGGED if isinstance(report[name], int | float)})
    if report["duration_s"] == 0:
        raise MediaUnreadable(f"no audio could be decoded; bad packets: {report['bad_packets']}")
    return DecodedAudio(path=target, **report)


def _command(source: Path, target: Path, limits: MediaSettings, max_audio_s: float) -> list[str]:
    # -I: neither PYTHON* variables nor the working folder, where a client's file lies, lead to a module.
    numbers = [max_audio_s, limits.memory_bytes, limits.cpu_s]
    return [sys.executable, "-I", str(CHILD), str(source.absolute()), str(target.absolute()), *map(str, numbers)]


async def _run(command: list[str], folder: Path) -> tuple[int, bytes]:
    """Exit status and standard output of the child; it is dead when this returns, however it returns."""
    child = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,  # FFmpeg's own words, with bytes of the file in them
        cwd=folder,
        env=ENVIRONMENT,
        start_new_session=True,  # Ctrl-C in a terminal is for the worker, which drains
    )
    assert child.stdout is not None
    try:
        output = await child.stdout.read(REPORT_BYTES)
        return await child.wait(), output
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


def _report(returncode: int, output: bytes, limits: MediaSettings) -> dict[str, Any]:
    """The child's JSON object. Raises MediaDecoderCrashed if it died before it could report."""
    if returncode == -signal.SIGXCPU:
        raise MediaDecoderCrashed(f"decoding took more than {limits.cpu_s} s of CPU, the limit")
    if returncode < 0:
        raise MediaDecoderCrashed(f"the media decoder was killed by {signal.Signals(-returncode).name}")
    try:
        report = json.loads(output)
    except ValueError as error:
        raise MediaDecoderCrashed(f"the media decoder ended with status {returncode} and no report") from error
    assert isinstance(report, dict)
    return report


def _refuse(report: dict[str, Any], limits: MediaSettings, max_audio_s: float) -> NoReturn:
    """Raise the error that the child's word stands for."""
    detail = report["detail"]
    match report["error"]:
        case "unreadable":
            raise MediaUnreadable(f"the file is no recording that can be read; {READABLE} can be")
        case "no-audio":
            raise MediaWithoutAudio("the file has no audio track")
        case "too-long":
            length_s = report["container_duration_s"] or 0
            length = f"{length_s:,.0f} s" if length_s > max_audio_s else f"more than {max_audio_s:,.0f} s"
            raise AudioTooLong(f"the recording is {length} long; the limit is {max_audio_s:,.0f} s")
        case "disk-full":
            raise ScratchFull(f"the worker's scratch folder is full ({detail})")
        case "memory":
            raise MediaDecoderCrashed(f"decoding needs more than {limits.memory_bytes:,} bytes of memory, the limit")
        case _:
            raise MediaDecoderCrashed(f"the media decoder failed ({detail})")
