"""What `claimcheck up` starts on one machine, and where."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class LocalSettings(BaseSettings):
    """One machine: what `claimcheck up` starts, and where. Only the launcher reads these. None is a secret, so that an
    error may show the value."""

    model_config = SettingsConfigDict(env_prefix="CLAIMCHECK_LOCAL__", frozen=True, extra="ignore")

    dir: Path = Path(".local")
    """Folder of everything that is kept: blobs, queues, records, models, logs. Two systems need two folders."""
    blob_port: int = Field(default=10000, ge=1, le=65535)
    """Port of Azurite."""
    service_bus_port: int = Field(default=5672, ge=1, le=65535)
    """AMQP port of the Service Bus emulator."""
    service_bus_admin_port: int = Field(default=5300, ge=1, le=65535)
    """HTTP port of the Service Bus emulator: its health, and what is in the queues."""
    cosmos_port: int = Field(default=8081, ge=1, le=65535)
    """Port of the Cosmos DB emulator."""
    worker_port: int = Field(default=8010, ge=1, le=65535)
    """Health port of the first worker; each further worker has the next one, and the keeper the one after them."""
    demo_model_port: int = Field(default=8082, ge=1, le=65535)
    """Port of the demonstration model, which answers where no endpoint is configured."""
    speech_workers: int = Field(default=1, ge=0, le=64)
    """Speech workers. Each takes one core and about 400 MB with the model `base`; 0: jobs wait."""
    language_workers: int = Field(default=1, ge=0, le=64)
    """Language workers, about 150 MB each; 0: jobs wait, and no demonstration model is fetched or started, which takes
    300 MB and half the cores while it answers."""
    media_workers: int = Field(default=1, ge=0, le=64)
    """Media workers, if an installed task has a stage on that queue: none of ours has one. 0: jobs wait."""
    ready_timeout_s: float = Field(default=60.0, gt=0)
    """Seconds until everything must be ready. Too low fails on a slow disk, where a first start reads 1 GB."""
    drain_s: float = Field(default=28.0, gt=0)
    """Seconds that APIs and workers get to end by themselves: a little more than a worker's own drain."""
    duplicate_detection: bool = True
    """Whether the queues drop a message whose id they have seen in the last 10 minutes, as those on Azure do. False
    shows that nothing relies on it. How long their locks are is `queue.lease_s`."""
