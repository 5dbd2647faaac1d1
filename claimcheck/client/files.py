"""Files that go up and results that come down: sizes, second sendings, whole or not at all. No network."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from claimcheck.client.errors import FileChanged

CHUNK_BYTES: Final = 256 * 1024

File = Path | BinaryIO | bytes


@dataclass(frozen=True)
class UploadProgress:
    """How far an upload is, in bytes. A repeated upload begins at 0 again."""

    sent_bytes: int
    total_bytes: int | None
    """None for a stream whose end is not known."""


OnUpload = Callable[[UploadProgress], None]


class Upload:
    """A file on its way: from where it stood, as often as it can be rewound."""

    def __init__(self, file: BinaryIO, *, name: str = "", on_progress: OnUpload | None = None) -> None:
        self.name = name
        self._file, self._on_progress = file, on_progress
        self._rewindable = file.seekable()
        self._start = file.tell() if self._rewindable else 0
        self.size_bytes = file.seek(0, io.SEEK_END) - self._start if self._rewindable else None
        """None for a stream whose end is not known."""
        self._touched = False

    @property
    def can_be_sent(self) -> bool:
        """Whether it can be sent from its start (once more)."""
        return self._rewindable or not self._touched

    def chunks(self) -> Iterator[bytes]:
        """All of it, from the start. Raises FileChanged if it ends before the size that was announced."""
        if self._rewindable:
            self._file.seek(self._start)
        sent_bytes = 0
        self._report(sent_bytes)
        while chunk := self._read(sent_bytes):
            yield chunk
            sent_bytes += len(chunk)
            self._report(sent_bytes)
        if self.size_bytes is not None and sent_bytes < self.size_bytes:
            raise FileChanged(f"{self.name or 'the file'} ended after {sent_bytes:,} of {self.size_bytes:,} bytes")

    def _read(self, sent_bytes: int) -> bytes:
        # What was added since the start was announced must not follow: the announced length is a promise.
        left = CHUNK_BYTES if self.size_bytes is None else min(CHUNK_BYTES, self.size_bytes - sent_bytes)
        self._touched = True
        chunk = self._file.read(left)
        if not isinstance(chunk, bytes):
            raise TypeError(f"the file gave {type(chunk).__name__} instead of bytes; open it in binary mode")
        return chunk

    def _report(self, sent_bytes: int) -> None:
        if self._on_progress:
            self._on_progress(UploadProgress(sent_bytes, self.size_bytes))


@contextlib.contextmanager
def opened(file: File, *, name: str | None, on_progress: OnUpload | None) -> Iterator[Upload]:
    """Get a file ready to be sent; closes what it opened. Raises OSError if it cannot be read."""
    if isinstance(file, Path):
        with file.open("rb") as stream:
            yield Upload(stream, name=file.name if name is None else name, on_progress=on_progress)
    elif isinstance(file, bytes):
        yield Upload(io.BytesIO(file), name=name or "", on_progress=on_progress)
    else:
        yield Upload(file, name=_name_of(file) if name is None else name, on_progress=on_progress)


def _name_of(file: BinaryIO) -> str:
    """The name of an open file; streams without one have a number there, or `<stdin>`."""
    named = getattr(file, "name", "")
    return Path(named).name if isinstance(named, str) and not named.startswith("<") else ""


@contextlib.contextmanager
def saved(to: Path) -> Iterator[BinaryIO]:
    """A file to write to, which appears under its name once it is whole. Raises OSError if it cannot be written."""
    if to.exists() and not to.is_file():
        with to.open("wb") as device:  # A device or a pipe: nothing to replace.
            yield device
        return
    to = Path(os.path.realpath(to))  # What a link points to is replaced, not the link.
    part = to.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with _created(part, like=to) as file:
            yield file
        part.replace(to)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _created(path: Path, *, like: Path) -> BinaryIO:
    """A new file, which may be read and written by whom `like` may be; without one, by whom the umask lets."""
    mode = stat.S_IMODE(like.stat().st_mode) if like.exists() else None
    # Created with no more than it shall have: between creating it and a chmod, somebody could open it.
    file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else mode & 0o777), "wb")
    if mode is not None:
        path.chmod(mode)  # What the umask took from it.
    return file
