"""services/worker/scratch.py: what is bounded, what is removed, and what is left alone. Real folders and processes."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from claimcheck.errors import ScratchFull
from services.worker.scratch import Scratch
from tests.stack.components import ROOT

LIMIT_BYTES = 100
HOLD = """
import sys
from pathlib import Path
from services.worker.scratch import Scratch

scratch = Scratch(Path(sys.argv[1]), 100)
with scratch.run() as folder:
    (folder.open() / "upload").write_bytes(b"x" * 50)
    print("holds", flush=True)
    sys.stdin.read()
scratch.close()
"""


async def chunks(*sizes: int) -> AsyncIterator[bytes]:
    """Chunks of these sizes."""
    for size in sizes:
        yield b"x" * size


def workers(root: Path) -> list[Path]:
    """The folders of workers."""
    return sorted(root.glob("worker-*"))


@contextmanager
def scratch_in(root: Path) -> Iterator[Scratch]:
    """The scratch space of a worker, closed afterwards."""
    scratch = Scratch(root, LIMIT_BYTES)
    try:
        yield scratch
    finally:
        scratch.close()


@contextmanager
def other_worker(root: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that is in the middle of a run."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(root)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "holds\n"
            yield process
        finally:
            process.kill()


async def test_chunks_become_the_file_and_the_run_takes_everything_with_it(tmp_path: Path) -> None:
    with scratch_in(tmp_path) as scratch:
        with scratch.run() as folder:
            path = folder.open() / "upload"
            await folder.save(chunks(30, 1, 9), path, 40)
            assert path.read_bytes() == b"x" * 40
        assert not path.parent.exists()
        assert len(workers(tmp_path)) == 1
    assert workers(tmp_path) == []


def test_run_that_needs_no_folder_makes_none(tmp_path: Path) -> None:
    with scratch_in(tmp_path) as scratch, scratch.run():
        (folder,) = workers(tmp_path)
        assert [path.name for path in folder.iterdir()] == [".lock"]


async def test_runs_are_bounded_together_and_give_back_what_they_had(tmp_path: Path) -> None:
    with scratch_in(tmp_path) as scratch:
        with scratch.run() as first, scratch.run() as second:
            await first.save(chunks(60), first.open() / "upload", 60)
            with pytest.raises(ScratchFull, match="41 bytes of scratch space and 60 are in use; the limit is 100"):
                await second.save(chunks(41), second.open() / "upload", 41)
            await second.save(chunks(40), second.open() / "upload", 40)
        with scratch.run() as third:
            await third.save(chunks(LIMIT_BYTES), third.open() / "upload", LIMIT_BYTES)


async def test_run_that_fails_gives_back_what_it_had(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x"
        raise ConnectionError("the download broke off")

    with scratch_in(tmp_path) as scratch:
        for _ in range(3):
            with pytest.raises(ConnectionError), scratch.run() as folder:
                await folder.save(broken(), folder.open() / "upload", 60)


async def test_full_disk_is_scratch_full(tmp_path: Path) -> None:
    with scratch_in(tmp_path) as scratch, scratch.run() as folder:
        with pytest.raises(ScratchFull, match="the scratch disk is full: No space left on device"):
            await folder.save(chunks(40), Path("/dev/full"), 40)
        with pytest.raises(ScratchFull, match="the scratch disk is full"):
            await folder.save(chunks(20, 40), Path("/dev/full"), 60)


async def test_another_error_of_the_disk_is_not_hidden(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with scratch_in(tmp_path) as scratch, scratch.run() as folder:
        path = folder.open() / "upload"
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))  # Python ignores SIGXFSZ, so the write fails
        try:
            with pytest.raises(OSError, match="File too large"):
                await folder.save(chunks(40), path, 40)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_folder_of_a_killed_worker_is_swept_by_the_next(tmp_path: Path) -> None:
    with other_worker(tmp_path) as process:
        (left,) = workers(tmp_path)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert [path.read_bytes() for path in left.glob("run-*/upload")] == [b"x" * 50]
    with scratch_in(tmp_path):
        assert left not in workers(tmp_path)
        assert len(workers(tmp_path)) == 1


def test_folder_of_a_living_worker_is_left_alone(tmp_path: Path) -> None:
    with other_worker(tmp_path) as process:
        (theirs,) = workers(tmp_path)
        with scratch_in(tmp_path):
            assert len(workers(tmp_path)) == 2
            assert [path.read_bytes() for path in theirs.glob("run-*/upload")] == [b"x" * 50]
        assert workers(tmp_path) == [theirs]
        process.communicate("")
    assert process.returncode == 0
    assert workers(tmp_path) == []


def test_workers_that_start_and_end_at_once_never_sweep_each_other(tmp_path: Path) -> None:
    def start_and_end(_: int) -> bool:
        with scratch_in(tmp_path) as scratch, scratch.run() as folder:
            return folder.open().exists()

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(start_and_end, range(200)))
    assert workers(tmp_path) == []


def test_lock_that_cannot_be_had_fails_the_start(tmp_path: Path) -> None:
    (tmp_path / ".lock").mkdir()
    with pytest.raises(OSError, match="Is a directory"):
        Scratch(tmp_path, LIMIT_BYTES)
    assert workers(tmp_path) == []
