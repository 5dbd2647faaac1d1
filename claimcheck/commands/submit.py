"""`claimcheck submit FILE`: hand a file in; with `--wait` also wait for the job and print its result."""

from __future__ import annotations

import argparse
import secrets
import sys
from pathlib import Path

from claimcheck.client import Client, JobView, ServerUnreachable, Unavailable
from claimcheck.client.files import File
from claimcheck.commands.calling import Exit, calling, say, write
from claimcheck.commands.options import read_options
from claimcheck.commands.progress import job_progress, upload_progress
from claimcheck.commands.result import check_output, deliver

STANDARD_INPUT = "-"


def submit(chosen: argparse.Namespace) -> Exit:
    """Run it; the exit status."""
    return calling(chosen, lambda client: _submit(client, chosen))


def _submit(client: Client, chosen: argparse.Namespace) -> Exit:
    if not chosen.wait and (chosen.output or chosen.format):
        raise ValueError("-o and --format say what to do with the result; they need --wait")
    check_output(chosen.output)
    # Known here and not only in the client, so that whoever is interrupted can be told of it.
    key = secrets.token_hex(16) if chosen.idempotency_key is None else chosen.idempotency_key
    try:
        job = _hand_in(client, chosen, key)
    except (KeyboardInterrupt, ServerUnreachable, Unavailable) as stopped:
        say(f"submitted again with --idempotency-key {key} it is the same job, if there is one by now")
        if isinstance(stopped, KeyboardInterrupt):
            return Exit.INTERRUPTED
        raise
    return _deliver(client, job, chosen)


def _deliver(client: Client, job: JobView, chosen: argparse.Namespace) -> Exit:
    if not chosen.wait:
        write(f"{job.id}\n")
        return Exit.OK
    try:
        with job_progress() as show:
            ended = client.wait(job.id, on_progress=show)
        return deliver(client, ended, chosen)
    except KeyboardInterrupt:
        say(f"interrupted; {_how_to_go_on(job)}")
        return Exit.INTERRUPTED
    except (ServerUnreachable, Unavailable):
        say(_how_to_go_on(job))
        raise


def _hand_in(client: Client, chosen: argparse.Namespace, key: str) -> JobView:
    options = read_options(chosen.options, chosen.option)
    from_pipe = chosen.file == STANDARD_INPUT
    file: File = sys.stdin.buffer if from_pipe else Path(chosen.file)
    with upload_progress("standard input" if from_pipe else Path(chosen.file).name) as show:
        return client.submit(file, task=chosen.task, options=options, idempotency_key=key, on_progress=show)


def _how_to_go_on(job: JobView) -> str:
    return f"the job goes on: `claimcheck result {job.id}` fetches its result, `claimcheck cancel {job.id}` stops it"
