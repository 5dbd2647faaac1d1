"""Names that no other test uses, so that tests share the processes and never each other's jobs.

The Service Bus emulator reads its queues from a file at start, so a stock of queue sets is made beforehand.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

KINDS = ("media", "speech", "language")
SETS = 120
LOCK_S = 5  # the shortest that Service Bus allows; a killed worker's job restarts after it


@dataclass(frozen=True)
class Names:
    """What one test calls its own."""

    container: str
    """Blob container, and also the Cosmos DB database."""
    queues: dict[str, str]
    """Kind of queue -> its name."""


class NameStock:
    """Hands out each set of names once."""

    def __init__(self) -> None:
        self._numbers = itertools.count()

    def take(self) -> Names:
        """A set that is still unused."""
        number = next(self._numbers)
        assert number < SETS, f"all {SETS} sets of queues are taken; raise SETS in {__name__}"
        return Names(container=f"test-{number}", queues={kind: f"{kind}-{number}" for kind in KINDS})


def broker_config() -> dict[str, Any]:
    """A Config.json with every queue of the stock: as in production, but with short locks."""
    properties = {
        "LockDuration": f"PT{LOCK_S}S",
        "MaxDeliveryCount": 10,
        "DefaultMessageTimeToLive": "P2D",
        "DeadLetteringOnMessageExpiration": True,
        "RequiresDuplicateDetection": True,
        "DuplicateDetectionHistoryTimeWindow": "PT10M",
    }
    names = [f"{kind}-{number}" for number in range(SETS) for kind in KINDS]
    queues = [{"Name": name, "Properties": properties} for name in names]
    return {"UserConfig": {"Namespaces": [{"Name": "sbemulatorns", "Queues": queues, "Topics": []}]}}
