"""`claimcheck erase ID`: stop a job and erase it, with its file and its result."""

from __future__ import annotations

import argparse

from claimcheck.client import Client
from claimcheck.commands.calling import Exit, calling, say


def erase(chosen: argparse.Namespace) -> Exit:
    """Run it; the exit status."""
    return calling(chosen, lambda client: _erase(client, chosen.id))


def _erase(client: Client, job_id: str) -> Exit:
    client.erase(job_id)
    say(f"job {job_id} is erased")
    return Exit.OK
