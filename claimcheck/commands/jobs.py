"""`claimcheck jobs`: the jobs, newest first: a table on a terminal, else a line each, with tabs between the columns."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from claimcheck.client import Client, JobView
from claimcheck.commands.calling import Exit, calling, printable, standard_output, write

COLUMNS = ("ID", "STATUS", "TASK", "CREATED", "FILE")
ID_CHARS = 36


def jobs(chosen: argparse.Namespace) -> Exit:
    """Run it; the exit status."""
    return calling(chosen, lambda client: _jobs(client, chosen))


def _jobs(client: Client, chosen: argparse.Namespace) -> Exit:
    output = standard_output()
    found = client.jobs(status=chosen.status, task=chosen.task, limit=chosen.limit)
    if chosen.json:
        for job in found:
            write(job.model_dump_json(exclude_none=True) + "\n")
    elif output.isatty():
        Console().print(table(found))
    else:
        for job in found:
            write("\t".join(row(job)) + "\n")
    return Exit.OK


def row(job: JobView) -> tuple[str, ...]:
    """A job's columns. Pure."""
    share = f" {job.progress:.0%}" if job.status == "running" and job.progress else ""
    created = job.created_at.astimezone().strftime("%Y-%m-%d %H:%M")
    return (job.id, f"{job.status}{share}", job.task, created, printable(job.file.name))


def table(found: Iterable[JobView]) -> Table:
    """The jobs for a terminal. However narrow it is, an id stays whole: it is there to be copied."""
    made = Table(box=None, pad_edge=False)
    for name in COLUMNS:
        made.add_column(name, no_wrap=True, min_width=ID_CHARS if name == "ID" else None)
    for job in found:
        made.add_row(*(Text(cell) for cell in row(job)))
    return made
