"""`claimcheck jobs stuck`: jobs of all tenants that have not ended and do not move, those first that waited longest.

Such a job waits in a long line, or its message is gone and the keeper, which would see to it, does not run.
"""

from __future__ import annotations

import argparse

from claimcheck.client import Client
from claimcheck.commands.calling import Exit, calling, say
from claimcheck.commands.rows import Columns, local, print_items
from claimcheck.operator_views import JobStateView

JOBS: Columns[JobStateView] = {
    "ID": lambda job: job.id,
    "TENANT": lambda job: job.tenant,
    "STATUS": lambda job: job.status,
    "TASK": lambda job: job.task,
    "STAGE": lambda job: job.stage,
    "ATTEMPT": lambda job: str(job.attempt),
    "MOVED": lambda job: local(job.moved_at),
    "DUE": lambda job: local(job.due_at) if job.due_at else "-",
    "DEADLINE": lambda job: local(job.deadline_at),
}


def stuck(chosen: argparse.Namespace) -> Exit:
    """Run it; the exit status, which says nothing of whether there are any."""
    return calling(chosen, lambda client: _stuck(client, chosen), key="operator_key")


def _stuck(client: Client, chosen: argparse.Namespace) -> Exit:
    if chosen.status or chosen.task:
        raise ValueError("stuck takes neither --status nor --task: it lists jobs of all tasks that have not ended")
    found = client.operator.stuck_jobs(older_than=chosen.older_than, limit=chosen.limit)
    print_items(found.jobs, JOBS, as_json=chosen.json, whole="ID")
    if found.more:
        say(f"there are more than {len(found.jobs)}")
    return Exit.OK
