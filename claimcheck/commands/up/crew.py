"""Which workers the system on one machine has, and on which ports. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import get_args

from claimcheck.settings import LocalSettings
from claimcheck.tasks import QueueKind

KEEPER = "keeper"
KINDS: tuple[QueueKind, ...] = ("speech", "language", "media")
assert set(KINDS) == set(get_args(QueueKind))


@dataclass(frozen=True)
class Post:
    """One worker, or the keeper."""

    name: str
    """For example `speech-1`."""
    role: str
    """A queue, or `keeper`."""
    port: int
    """Its health."""


def crew(local: LocalSettings, queues: Collection[QueueKind]) -> tuple[Post, ...]:
    """The workers for those of these queues that the settings give some, and then the keeper; each has the next port.

    `queues`: those that the stages of the installed tasks use; nobody waits at any other.
    """
    posts = [
        (f"{kind}-{number}", kind) for kind in KINDS if kind in queues for number in range(1, _wanted(local, kind) + 1)
    ]
    named = [*posts, (KEEPER, KEEPER)]
    return tuple(Post(name, role, local.worker_port + index) for index, (name, role) in enumerate(named))


def _wanted(local: LocalSettings, kind: QueueKind) -> int:
    return {"speech": local.speech_workers, "language": local.language_workers, "media": local.media_workers}[kind]
