"""`claimcheck result ID`: print a job's result, or save it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from claimcheck.client import Client, JobView
from claimcheck.commands.calling import Exit, calling, write


def result(chosen: argparse.Namespace) -> Exit:
    """Run it; the exit status."""
    return calling(chosen, lambda client: _result(client, chosen))


def _result(client: Client, chosen: argparse.Namespace) -> Exit:
    check_output(chosen.output)
    return deliver(client, client.job(chosen.id), chosen)


def check_output(output: str | None) -> None:
    """Refuse a file that cannot be written before there is anything to write. Raises ValueError."""
    if output and Path(output).is_dir():
        raise ValueError(f"{output} is a directory; a file is expected")
    if output and not Path(output).resolve().parent.is_dir():
        raise ValueError(f"{output} is to be written in a directory that does not exist")


def deliver(client: Client, job: JobView, chosen: argparse.Namespace) -> Exit:
    """Print or save the result of an ended job. Raises ClientError if it has none, OSError."""
    form = chosen.format or default_format(job, chosen.output)
    if chosen.output:
        client.download(job.id, form, Path(chosen.output))
        return Exit.OK
    found = client.result(job.id, form)
    text = found if isinstance(found, str) else json.dumps(found, ensure_ascii=False, indent=2)
    write(text if text.endswith("\n") else f"{text}\n")
    return Exit.OK


def default_format(job: JobView, output: str | None) -> str:
    """The format that the name of the output asks for, else text, else JSON: what the task has. Pure."""
    formats = job.result_urls or {}
    asked = Path(output or "").suffix.lstrip(".").lower()
    return next((form for form in (asked, "txt") if form in formats), "json")
