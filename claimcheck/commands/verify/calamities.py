"""What befalls which process next. Pure: the dice are a parameter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, Literal

WORKERS: Final = ("speech-", "language-", "media-")
"""How the names of those begin that hold leases."""
FREEZE_WORKER: Final = 1 / 12
"""Share of a worker's calamities that are a freeze beyond its lease: it holds up its job for longer than a crash."""
BEYOND_LEASE: Final = (1.1, 1.5)
AZURITE_FROZEN_S: Final = (1.0, 6.0)


@dataclass(frozen=True)
class Calamity:
    """One of them."""

    victim: str
    how: Literal["kill", "end", "freeze"]
    """By SIGKILL, by SIGTERM, or by SIGSTOP and, after a while, SIGCONT."""
    for_s: float = 0.0
    """How long a freeze lasts."""

    def __str__(self) -> str:
        """For the person who looks on."""
        return f"{self.how} {self.victim}" + (f" for {self.for_s:.1f} s" if self.for_s else "")


def draw(dice: Random, names: Sequence[str], *, lease_s: float) -> Calamity:
    """The next calamity of one of `names`.

    Azurite is never killed: it writes its metadata every 5 s and at SIGTERM, and would lose blobs that it has
    acknowledged, which Azure Blob Storage does not.
    """
    victim = dice.choice(sorted(names))
    if victim == "azurite":
        return Calamity(victim, "end") if dice.random() < 0.5 else Calamity(victim, "freeze", _between(dice))
    if victim.startswith(WORKERS) and dice.random() < FREEZE_WORKER:
        return Calamity(victim, "freeze", lease_s * dice.uniform(*BEYOND_LEASE))
    return Calamity(victim, "kill")


def pause_s(dice: Random, every_s: float) -> float:
    """Until the next one: `every_s` seconds on average."""
    return every_s * dice.uniform(0.5, 1.5)


def _between(dice: Random) -> float:
    return dice.uniform(*AZURITE_FROZEN_S)
