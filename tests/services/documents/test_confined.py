"""A confined child: what it may use and say, and that it is dead when its caller goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import psutil
import pytest
from pydantic import BaseModel

from claimcheck.errors import DocumentReaderCrashed, ScratchFull
from claimcheck.settings import DocumentSettings
from services.worker.media import documents, images
from services.worker.media.confined import Confinement, Refusal
from services.worker.media.documents import PDF, read_text
from services.worker.media.images import prepare_image
from tests.stack.children import children_with
from tests.stack.waiting import eventually, until

MIB = 1024 * 1024


class Said(BaseModel):
    """What the scripts here report."""

    said: str


def confined(script: Path, body: str, **limits: Any) -> Confinement:
    """A script whose `report` is `body`, in a child that may use little."""
    script.write_text("def report(*arguments):\n" + "".join(f"    {line}\n" for line in body.splitlines()))
    defaults = {"memory_bytes": 256 * MIB, "cpu_s": 5, "wall_s": 20.0, "file_bytes": MIB}
    return Confinement(script=script, reader="the reader", crashed=DocumentReaderCrashed, **{**defaults, **limits})


async def run(folder: Path, body: str, *arguments: str | float | Path, **limits: Any) -> str:
    return (await confined(folder / "script.py", body, **limits).run(*arguments, folder=folder, into=Said)).said


async def test_a_script_reports_what_it_made_of_its_arguments(tmp_path: Path) -> None:
    body = "return {'said': repr(arguments)}"
    assert await run(tmp_path, body, "a b", 2.5, tmp_path / "ü") == f"('a b', '2.5', '{tmp_path}/ü')"


@pytest.mark.parametrize(
    ("body", "limits", "reason"),
    [
        ("bytearray(10**9)", {}, "needs more than 268,435,456 bytes of memory, the limit"),
        ("while True: pass", {"cpu_s": 1}, "took more than 1 s of CPU, the limit"),
        ("import signal; signal.pause()", {"wall_s": 0.5}, r"took longer than 0\.5 s, the limit"),
        ("import os; os.abort()", {}, "was killed by SIGABRT"),
        ("import os; os._exit(7)", {}, "ended with status 7 and no report"),
        ("raise SystemExit", {}, "ended with status 0 and no report"),
        ("return 1 / 0", {}, r"failed \(ZeroDivisionError\)"),
        ("import services", {}, r"failed \(ModuleNotFoundError\)"),
        ("import script", {}, r"failed \(ModuleNotFoundError\)"),
        ("open('large', 'wb').write(bytes(2**21))", {}, r"failed \(File too large\)"),
        ("return {'said': 5}", {}, "reported what it may not"),
        ("return []", {}, "reported what it may not"),
        ("return {'said': 'x' * 70_000}", {}, "ended with status 0 and no report"),
        ("import sys; sys.stdout.write('{'); return {}", {}, "ended with status 0 and no report"),
        ("import sys; sys.stdout.write('[' * 50_000); return {}", {}, "ended with status 0 and no report"),
        ("return {'error': 'crash', 'detail': 'naïve\\n' + 'x' * 99}", {}, r"failed \(na\\xefve\\nx{70}\)$"),
    ],
)
async def test_a_child_that_fails_fails_alone(body: str, limits: dict[str, Any], reason: str, tmp_path: Path) -> None:
    with pytest.raises(DocumentReaderCrashed, match="the reader " + reason):
        await run(tmp_path, body, **limits)


async def test_a_script_refuses_with_a_word_and_numbers(tmp_path: Path) -> None:
    body = "from services.worker.media.confine import Refused\nraise Refused('too-long', 'x', pages=7, length_s=None)"
    with pytest.raises(Refusal) as refused:
        await run(tmp_path, body)
    assert (refused.value.word, refused.value.numbers) == ("too-long", {"pages": 7})


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        ("KeyError('x')", Refusal),
        ("OSError(22, 'impossible offset')", Refusal),
        ("MemoryError", DocumentReaderCrashed),
        ("OSError(28, 'full')", ScratchFull),
        ("OSError(122, 'quota')", ScratchFull),
    ],
)
async def test_what_a_library_raises_over_the_file_is_the_files_fault(
    failure: str, error: type[Exception], tmp_path: Path
) -> None:
    body = f"from services.worker.media.confine import reading\nwith reading():\n    raise {failure}"
    with pytest.raises(error):
        await run(tmp_path, body)


async def test_a_full_disk_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ScratchFull, match="No space left on device"):
        await run(tmp_path, "raise OSError(28, '')")


async def test_a_child_has_nothing_of_the_workers_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAIMCHECK_RECORDS__KEY", "secret")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    said = await run(tmp_path, "import os; return {'said': repr((sorted(os.environ), os.getcwd()))}")
    assert said in (f"(['LANG'], '{tmp_path}')", f"(['LANG', 'LC_CTYPE'], '{tmp_path}')")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists open files there")
async def test_a_child_inherits_no_open_file(tmp_path: Path) -> None:
    with socket.socket() as careless:
        os.set_inheritable(careless.fileno(), True)
        said = await run(tmp_path, "import os; return {'said': str(len(os.listdir('/proc/self/fd')))}")
    assert said == "4"  # in, out, error, and the folder that is listed


# What reads what. Each is stopped where it can be watched: an image comes through a pipe into which nobody writes, the
# text of a document goes into one from which nobody reads.


async def image(folder: Path) -> object:
    os.mkfifo(folder / "upload")
    return await prepare_image(folder / "upload", folder, limits=DocumentSettings())


async def document(folder: Path) -> object:
    os.mkfifo(folder / "read-text")
    (folder / "upload").write_bytes(b"%PDF-1.7")
    limits = DocumentSettings()
    return await read_text(folder / "upload", folder, media_type=PDF, limits=limits, max_chars=9)


Reader = Callable[[Path], Coroutine[None, None, object]]
READERS: dict[Reader, Path] = {image: images.CHILD, document: documents.CHILD}


async def started(script: Path) -> psutil.Process:
    """The child, once it runs."""

    async def running() -> list[psutil.Process]:
        return children_with(str(script))

    return (await eventually(running, "the child runs"))[0]


@pytest.mark.parametrize("reader", READERS)
async def test_a_child_is_dead_when_its_cancelled_caller_returns(reader: Reader, tmp_path: Path) -> None:
    task = asyncio.create_task(reader(tmp_path))
    child = await started(READERS[reader])
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not child.is_running()


@pytest.mark.parametrize("reader", READERS)
async def test_a_child_that_is_killed_is_a_failure_to_retry(reader: Reader, tmp_path: Path) -> None:
    task = asyncio.create_task(reader(tmp_path))
    (await started(READERS[reader])).kill()
    with pytest.raises(DocumentReaderCrashed, match=r"the (image|document) reader was killed by SIGKILL"):
        await task


WORKER = """
import asyncio, sys
from pathlib import Path
from tests.services.documents.test_confined import image
asyncio.run(image(Path(sys.argv[1])))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills a child with its parent")
def test_a_child_dies_with_its_worker(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", WORKER, str(tmp_path)]) as worker:
        end = []

        def is_read() -> bool:
            try:
                end.append(os.open(tmp_path / "upload", os.O_WRONLY | os.O_NONBLOCK))
            except OSError:
                return False
            return True

        until(is_read, "the child reads the file", deadline_s=60)
        orphans = children_with(str(images.CHILD), psutil.Process(worker.pid))
        assert orphans
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    assert psutil.wait_procs(orphans, timeout=10)[1] == []
    os.close(end[0])
