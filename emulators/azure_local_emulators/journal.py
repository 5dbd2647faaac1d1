"""An append-only file that survives `kill -9` of its writer.

Owns framing, torn tails and compaction; knows nothing of what a record means. `append` returns when the operating
system has the bytes: a killed process loses nothing it acknowledged, a power cut may lose the last moments.
"""

from __future__ import annotations

import fcntl
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

_FRAME = struct.Struct(">II")  # payload length in bytes, CRC-32 of the payload


class JournalInUse(RuntimeError):
    """Another process has this journal open; two writers would destroy it."""


class Journal:
    """One file of records (bytes), each atomic: after a crash a record is there whole or not at all."""

    def __init__(self, path: Path) -> None:
        """Open `path` for this process alone, creating it and its folder.

        Raises JournalInUse if another process holds it.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._lock = _lock(path.with_suffix(".lock"))
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self.size_bytes = os.fstat(self._file).st_size

    def replay(self) -> Iterator[bytes]:
        """Every whole record, oldest first. Consume it to its end before the first `append`: it cuts a torn tail."""
        good = 0
        with self._path.open("rb") as stored:
            while len(head := stored.read(_FRAME.size)) == _FRAME.size:
                length, checksum = _FRAME.unpack(head)
                payload = stored.read(length)
                if len(payload) < length or zlib.crc32(payload) != checksum:
                    break
                good += _FRAME.size + length
                yield payload
        if good < self.size_bytes:
            os.ftruncate(self._file, good)
            self.size_bytes = good

    def append(self, records: Iterable[bytes]) -> None:
        """Add records in one write; each is atomic, the group is not."""
        self.size_bytes += _write_all(self._file, b"".join(map(_framed, records)))

    def rewrite(self, records: Iterable[bytes]) -> None:
        """Replace everything by `records` (a snapshot of the present state), atomically."""
        draft = self._path.with_suffix(".draft")
        fresh = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        size = 0
        for record in records:
            size += _write_all(fresh, _framed(record))
        os.fsync(fresh)
        draft.replace(self._path)
        os.close(self._file)
        self._file, self.size_bytes = fresh, size

    def close(self) -> None:
        """Give the file back, so that another process may open it."""
        os.close(self._file)
        os.close(self._lock)


def _framed(payload: bytes) -> bytes:
    return _FRAME.pack(len(payload), zlib.crc32(payload)) + payload


def _write_all(file: int, data: bytes) -> int:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
    return len(data)


def _lock(path: Path) -> int:
    held = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as cause:
        os.close(held)
        raise JournalInUse(f"{path.parent} is used by another emulator process") from cause
    return held
