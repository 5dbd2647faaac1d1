"""Progress on standard error: bars on a terminal, else a line for each thing that happens."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)

from claimcheck.client import JobView, Status, UploadProgress
from claimcheck.commands.calling import printable, say


@contextlib.contextmanager
def upload_progress(name: str, total_bytes: int | None) -> Iterator[Callable[[UploadProgress], None]]:
    """Shows an upload while it is entered: bytes and bytes per second. `total_bytes`: None if it is not known yet."""
    if not _on_terminal():
        yield _upload_line(name)
        return
    with _bars(
        TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    ) as bars:
        bar = bars.add_task(printable(f"uploading {name}"), total=total_bytes)
        yield lambda seen: bars.update(bar, completed=seen.sent_bytes, total=seen.total_bytes)


@contextlib.contextmanager
def job_progress() -> Iterator[Callable[[JobView], None]]:
    """Shows a job while it is entered: its status, and the share that is done."""
    if not _on_terminal():
        yield _job_lines()
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn())
    with _bars(*columns, TaskProgressColumn(), TimeElapsedColumn()) as bars:
        bar = bars.add_task("waiting", total=None)

        def show(job: JobView) -> None:
            done = 1.0 if job.status == Status.SUCCEEDED else job.progress
            running = job.status != Status.QUEUED and done is not None
            bars.update(bar, description=_said(job), total=1.0 if running else None, completed=done or 0.0)

        yield show


def _bars(*columns: ProgressColumn) -> Progress:
    console = Console(stderr=True)
    # Standard output is the result's, also while a bar is shown; what is said meanwhile stands above the bar.
    return Progress(*columns, console=console, redirect_stdout=False, redirect_stderr=True)


def _on_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def _upload_line(name: str) -> Callable[[UploadProgress], None]:
    def show(seen: UploadProgress) -> None:
        if seen.sent_bytes == 0:
            size = "" if seen.total_bytes is None else f" ({decimal(seen.total_bytes)})"
            say(f"uploading {name}{size}")

    return show


def _job_lines() -> Callable[[JobView], None]:
    told = ""

    def show(job: JobView) -> None:
        nonlocal told
        if _said(job) != told:
            told = _said(job)
            say(told)

    return show


def _said(job: JobView) -> str:
    again = f", attempt {job.attempt}" if job.attempt > 1 else ""
    warned = f", with warnings: {job.warnings}" if job.warnings else ""
    return f"job {job.id} is {job.status}{again}{warned}"
