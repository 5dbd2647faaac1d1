"""Queues with longer locks than the stock's, which are the shortest, for tests of leases that are lost."""

from __future__ import annotations

import re

import httpx

from claimcheck.commands.up.addresses import HOST
from tests.stack.client import ANSWER_S
from tests.stack.services import Services

LONG_LOCK_S = 60.0  # as in production


def lock_for(lock_s: float, *queues: str, services: Services) -> None:
    """Make these queues anew with such locks; nothing is on them, and nobody receives from them yet."""
    address = f"http://{HOST}:{services.service_bus.ports['admin']}/"
    with httpx.Client(base_url=address, verify=False, timeout=ANSWER_S) as admin:
        for queue in queues:
            described = admin.get(queue).raise_for_status().text
            changed, found = re.subn("(?<=<LockDuration>)[^<]+", f"PT{lock_s:g}S", described)
            assert found == 1, described
            admin.delete(queue).raise_for_status()
            admin.put(queue, content=changed).raise_for_status()
