"""What a handler is given and what it gives back. Knows no queue, no lease and no record: those are the runner's.

A handler is `async def stage(run: StageRun) -> dict | MoveOn`. A dict of JSON values is the job's result (of a part:
the part's result); MoveOn goes on to the task's next stage. It raises a JobFailure if it cannot. It is cancelled when
the lease is lost, the job was cancelled or the worker drains: it then ends its child processes and returns at once; an
inference that cannot be stopped keeps its slot until the model call returns.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from claimcheck.job import PartItem, Upload
from claimcheck.pipeline import MoveOn
from services.worker.engines import Engines
from services.worker.ledger import Ledger

Handler = Callable[["StageRun"], Awaitable[dict[str, Any] | MoveOn]]


class Kept(Protocol):
    """Blobs that a job's stages leave for each other; erased with the job. Raises DependencyUnavailable.

    Names are good in this job, and in a replay of it that begins later than at its first stage.
    """

    async def put(self, data: bytes) -> str:
        """Keep under a new random name, which is returned."""

    async def put_once(self, key: str, data: bytes) -> bytes:
        """Keep under `key` unless something is there already; what is there then. So a second run takes the first's."""

    async def get(self, key: str) -> bytes:
        """What `put_once` has kept. Raises BlobMissing."""

    async def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """Bytes of what `put` has kept: `length` from `start` on, or as many as there are. Raises BlobMissing."""

    async def delete(self, name: str) -> None:
        """Delete what `put` has kept; nothing happens if it is gone."""


@dataclass(frozen=True, kw_only=True)
class StageRun:
    """One run of one stage."""

    tenant: str
    job_id: str
    task: str
    stage: str
    part: int | None = None
    """Number of the part, if the stage is fanned out."""
    attempt: int
    options: Mapping[str, Any]
    """The client's options, validated by the task."""
    upload: Upload
    """What the client handed in: its name, type and size."""
    read_upload: Callable[[], Awaitable[bytes]]
    """The upload, in memory: only for one whose `upload.size_bytes` was checked before. Raises as `fetch_upload`."""
    open_folder: Callable[[], Path]
    """Makes `folder` at the first call."""
    fetch_upload: Callable[[Path], Awaitable[None]]
    """Download the upload to that path. Raises ScratchFull, UploadMissing, DependencyUnavailable."""
    finished_parts: Callable[[str], Awaitable[list[PartItem]]]
    """The finished parts of an earlier stage, in order. Raises DependencyUnavailable."""
    kept: Kept
    """What the job's stages leave for each other."""
    ledger: Ledger
    """What models were asked in this stage, and answered."""
    progress: Callable[[float], None]
    """Tell how much is done, 0 to 1; cheap, from any thread; the client sees it with the next heartbeat."""
    engines: Engines
    """The models of this worker."""

    @property
    def folder(self) -> Path:
        """Scratch folder of this run alone, which exists; removed afterwards. Raises ScratchFull."""
        return self.open_folder()
