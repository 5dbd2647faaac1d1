"""How much memory large uploads take in the process API: `python -m benchmarks.big_uploads`.

Each case has a fresh process, which has taken a small upload before. The client makes up the bytes and keeps none.
Azurite keeps them all on disk, in a temporary folder, until the end: about 11 GB.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.alone import run_alone
from benchmarks.figures import Figure
from benchmarks.installation import Installation, run
from benchmarks.load import UPLOAD_END, HttpConnection, raw_upload_request, upload_request
from tests.stack.memory import MB, MemoryMeter

GIB = 1024**3
CHUNK = secrets.token_bytes(256 * 1024)
WARM_UP_BYTES = 100_000
MOST_ONE_MB = 64
MOST_FLAT_MB = 8
MOST_MANY_MB = 250


@dataclass(frozen=True, kw_only=True)
class Case:
    """Uploads at once, all of one size."""

    name: str
    size_bytes: int
    count: int = 1
    raw: bool = False
    most_mb: float = MOST_ONE_MB


CASES = (
    Case(name="0.5 GiB as a form", size_bytes=GIB // 2),
    Case(name="1 GiB as a form", size_bytes=GIB),
    Case(name="2 GiB as a form", size_bytes=2 * GIB),
    Case(name="0.5 GiB as a raw body", size_bytes=GIB // 2, raw=True),
    Case(name="2 GiB as a raw body", size_bytes=2 * GIB, raw=True),
    Case(name="20 x 200 MB at once", size_bytes=200 * MB, count=20, most_mb=MOST_MANY_MB),
)


def measure(installation: Installation) -> list[Figure]:
    """Growth of the process API's memory."""
    _check_disk(installation)
    figures = [_growth(installation, case) for case in CASES]
    form, raw = figures[:3], figures[3:5]
    return [*figures, _flatness("a form", form), _flatness("a raw body", raw)]


def _check_disk(installation: Installation) -> None:
    needed, free = sum(case.size_bytes * case.count for case in CASES), shutil.disk_usage(installation.folder).free
    if free < 1.2 * needed:
        folder = installation.folder
        raise SystemExit(f"{folder} has {free / GIB:.1f} GiB free; big_uploads needs {1.2 * needed / GIB:.1f} GiB")


def _growth(installation: Installation, case: Case) -> Figure:
    env = {"CLAIMCHECK_WEB__MAX_UPLOAD_BYTES": str(2 * GIB)}
    with installation.system(installation.place(), env=env) as system:
        system.start("process-api")
        run(_upload(system.process_url, WARM_UP_BYTES, raw=case.raw))
        meter = MemoryMeter(installation.pids(system)["process-api"])
        with meter.running():
            took_s = run(_uploads(system.process_url, case))
    rate = case.count * case.size_bytes / MB / took_s
    note = f"{meter.before_mb:.0f} MB before, {meter.peak_mb:.0f} MB at the peak; {rate:.0f} MB/s"
    return Figure(name=f"memory: {case.name}", unit="MB", value=meter.growth_mb, most=case.most_mb, notes=(note,))


def _flatness(name: str, figures: Sequence[Figure]) -> Figure:
    """How much more the largest upload takes than the smallest."""
    more = figures[-1].value - figures[0].value
    return Figure(name=f"memory: 2 GiB over 0.5 GiB, {name}", unit="MB", value=more, most=MOST_FLAT_MB)


async def _uploads(url: str, case: Case) -> float:
    """Seconds until the last 202."""
    started = time.perf_counter()
    await asyncio.gather(*(_upload(url, case.size_bytes, raw=case.raw) for _ in range(case.count)))
    return time.perf_counter() - started


async def _upload(url: str, size_bytes: int, *, raw: bool) -> None:
    async with HttpConnection(url) as connection:
        await connection.send(raw_upload_request(size_bytes) if raw else upload_request(size_bytes))
        for begin in range(0, size_bytes, len(CHUNK)):
            await connection.send(CHUNK[: size_bytes - begin])
        status, body = await (connection.answer() if raw else connection.ask(UPLOAD_END))
        assert status == 202, body


if __name__ == "__main__":
    sys.exit(run_alone(measure))
