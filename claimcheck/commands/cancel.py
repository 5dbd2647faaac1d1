"""`claimcheck cancel ID`: stop a job that has not ended."""

from __future__ import annotations

import argparse

from claimcheck.client import Client
from claimcheck.commands.calling import Exit, calling, say


def cancel(chosen: argparse.Namespace) -> Exit:
    """Run it; the exit status."""
    return calling(chosen, lambda client: _cancel(client, chosen.id))


def _cancel(client: Client, job_id: str) -> Exit:
    job = client.cancel(job_id)
    say(f"job {job.id} is {job.status}")
    return Exit.OK
