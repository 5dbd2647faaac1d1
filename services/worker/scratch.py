"""Scratch space of one worker: a folder per run, bounded together, gone afterwards and after a crash.

Each worker process locks a folder of its own below `scratch_dir`, which workers may share; whoever starts removes the
folders that nobody locks. Owns files on disk, knows nothing of what is in them.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterable, Iterator
from pathlib import Path

from claimcheck.errors import ScratchFull

LOCK_NAME = ".lock"
FULL = (errno.ENOSPC, errno.EDQUOT)


class Scratch:
    """The folder of this process."""

    def __init__(self, root: Path, limit_bytes: int) -> None:
        """Sweep what crashed workers left, then make a folder for this one. Waits while another worker does."""
        root.mkdir(parents=True, exist_ok=True)
        self._limit_bytes = limit_bytes
        self._reserved_bytes = 0
        # One at a time: between its making and its lock a folder looks like one that a crashed worker left.
        with _locked(root):
            _sweep(root)
            self._folder = Path(tempfile.mkdtemp(prefix="worker-", dir=root))
            lock = _try_lock(self._folder)
        if lock is None:
            raise RuntimeError(f"{self._folder} is new and cannot be locked; scratch_dir must be on a local disk")
        self._lock = lock

    @contextlib.contextmanager
    def run(self) -> Iterator[RunFolder]:
        """A folder for one run of a stage; removed with everything in it."""
        folder = RunFolder(self, self._folder)
        try:
            yield folder
        finally:
            folder.remove()
            self._reserved_bytes -= folder.reserved_bytes

    def reserve(self, size_bytes: int) -> None:
        """Count bytes against the limit. Raises ScratchFull."""
        if self._reserved_bytes + size_bytes > self._limit_bytes:
            raise ScratchFull(
                f"the upload needs {size_bytes:,} bytes of scratch space and {self._reserved_bytes:,} are in use;"
                f" the limit is {self._limit_bytes:,}"
            )
        self._reserved_bytes += size_bytes

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self._folder, ignore_errors=True)
        os.close(self._lock)


class RunFolder:
    """The folder of one run. Made when first asked for: on a busy disk it costs as much as a write of the record."""

    def __init__(self, scratch: Scratch, within: Path) -> None:
        self._scratch, self._within = scratch, within
        self._path: Path | None = None
        self._saved: set[Path] = set()
        self.reserved_bytes = 0

    def open(self) -> Path:
        """The folder, which exists. Raises ScratchFull."""
        if self._path is None:
            try:
                self._path = Path(tempfile.mkdtemp(prefix="run-", dir=self._within))
            except OSError as cause:
                raise _full_or_same(cause) from cause
        return self._path

    def remove(self) -> None:
        """Remove it with everything in it, if it was made."""
        if self._path is not None:
            shutil.rmtree(self._path, ignore_errors=True)

    async def save(self, chunks: AsyncIterable[bytes], path: Path, size_bytes: int) -> None:
        """Write chunks of `size_bytes` in all to a file; again, if it was tried before. Raises ScratchFull."""
        if path not in self._saved:
            self._scratch.reserve(size_bytes)
            self.reserved_bytes += size_bytes
            self._saved.add(path)
        try:
            with path.open("wb") as file:
                async for chunk in chunks:
                    # A slow disk may take seconds for megabytes, and leases are renewed on the event loop.
                    await asyncio.to_thread(file.write, chunk)
        except OSError as cause:
            raise _full_or_same(cause) from cause


def _full_or_same(error: OSError) -> Exception:
    return ScratchFull(f"the scratch disk is full: {error.strerror}") if error.errno in FULL else error


@contextlib.contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Hold the lock of the whole scratch folder; waits for it."""
    lock = os.open(root / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _sweep(root: Path) -> None:
    for folder in root.glob("worker-*"):
        lock = _try_lock(folder)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _try_lock(folder: Path) -> int | None:
    """Lock the folder for this process, or None if another holds it (or has just removed it)."""
    try:
        lock = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock
