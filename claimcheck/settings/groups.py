"""The settings of the services, by group. The text under a field says its unit, why it is what it is, and what too low
or too high does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from claimcheck.messages import NAME

MIB = 1024 * 1024


KEY_HASH = r"^[0-9a-f]{64}$"
KeyHash = Annotated[str, Field(pattern=KEY_HASH)]
TenantName = Annotated[str, Field(pattern=NAME)]


class Group(BaseModel):
    """A named group of settings; frozen, and a misspelt name is an error. Errors show no value: it may be a secret."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class LogSettings(Group):
    """Log lines on standard output."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Least severity that is written. INFO: every change of a job's state."""
    format: Literal["text", "json"] = "text"
    """`text` for reading, `json` for a collector."""


class WebSettings(Group):
    """Both HTTP programs."""

    host: str = "127.0.0.1"
    """Address to listen on. Beyond loopback needs `keys`, or `allow_anonymous`."""
    process_port: int = Field(default=8000, ge=0, le=65535)
    """Port of the process API and the page."""
    status_port: int = Field(default=8001, ge=0, le=65535)
    """Port of the status API."""
    process_url: str = "http://localhost:8000"
    """The process API as clients see it; the page that it serves may call the APIs (CORS)."""
    status_url: str = "http://localhost:8001"
    """The status API as clients see it; URLs in answers begin with it, never with the Host header."""
    origins: tuple[str, ...] = ("http://localhost:8000", "http://127.0.0.1:8000")
    """Origins whose pages may call the APIs (CORS), as JSON. `*` is refused: a list says who may."""
    allow_anonymous: bool = False
    """Serve the one tenant `default` without a key beyond loopback. Anyone who reaches the port may then submit."""
    keys: dict[KeyHash, TenantName] = Field(default_factory=dict)
    """SHA-256 of an API key in hexadecimal -> its tenant, as JSON; `claimcheck key TENANT` makes both. Keys are 256
    random bits, so a plain hash gives nothing away. Empty: no key is asked for, and everybody is `default`."""
    operator_keys: tuple[KeyHash, ...] = ()
    """SHA-256 of the keys that open operators' routes, as JSON. They open no tenant's jobs."""
    max_upload_bytes: int = Field(default=2048 * MIB, ge=1)
    """Largest file in bytes, inclusive. It bounds storage and transfer time, not memory: uploads are streamed."""
    uploads_per_tenant: int = Field(default=100, ge=1)
    """Uploads that one tenant may have under way at one replica; see `uploads`."""
    uploads: int = Field(default=200, ge=1)
    """Uploads that all tenants together may have under way at one replica; any more are answered 503. It bounds memory:
    `uploads` + `blobs.staged_blocks` blocks of `blobs.block_bytes`, which is 864 MiB of 216 blocks by default. A JSON
    body, of up to 1 MiB, holds less than a block; one at a time takes tens of MiB more while it is read (64 of the
    worst at once: 102 MB in all), as does one earlier result, as large as its task lets it become, for its text."""
    body_window_s: float = Field(default=30.0, gt=0)
    """A body must bring `body_window_bytes` in each window of so many seconds spent waiting for it. Lower cuts off
    phones in tunnels, higher lets silent clients hold their uploads longer."""
    body_window_bytes: int = Field(default=4096, ge=1)
    """See `body_window_s`. 4 KiB in 30 s is a hundredth of a slow modem."""
    header_bytes: int = Field(default=32 * 1024, ge=1024)
    """Longest request line and headers in bytes; the HTTP parser itself has no limit."""
    header_s: float = Field(default=20.0, gt=0)
    """Seconds that a client may take from its first byte, or from connecting, to the end of its headers."""
    write_s: float = Field(default=60.0, gt=0)
    """A client must take at least a byte of its answer in each window of so many seconds, or its connection is cut.
    Lower cuts off phones in tunnels, higher lets clients that read nothing hold their answers longer."""
    stop_s: float = Field(default=20.0, gt=0)
    """Seconds from SIGTERM in which a server ends what is under way; Azure kills after 30. An upload that still arrives
    6 s before they are over is answered 503. Lower cuts off more uploads."""
    waiters: int = Field(default=200, ge=0)
    """Requests with `Prefer: wait` that wait at once at one replica; any more are answered at once. Each reads its job
    every 0.25 to 2 s."""
    poll_s: int = Field(default=1, ge=1, le=60)
    """Shortest Retry-After in seconds. Higher: fewer polls, later results."""
    dependency_timeout_s: float = Field(default=3.0, gt=0)
    """Time in seconds until a dependency that does not answer becomes a 503. The SDKs alone retry for 11 s and more."""
    block_timeout_s: float = Field(default=30.0, gt=0)
    """The same for one block of an upload, which carries megabytes; an upload of up to 256 KiB is no block."""
    reference_task: str = ""
    """Task of `POST /api/process`; empty: by content."""

    @field_validator("keys", mode="before")
    @classmethod
    def _keys_are_hashed(cls, keys: object) -> object:
        # Before the pattern is tried, whose error would name what was given: perhaps the key itself.
        wrong = [name for name in keys if not re.fullmatch(KEY_HASH, str(name))] if isinstance(keys, dict) else []
        if wrong:
            raise ValueError(
                f"{len(wrong)} of the names in web.keys are no SHA-256 in hexadecimal (64 characters of 0-9a-f);"
                " `claimcheck key` makes one"
            )
        return keys

    @field_validator("process_url", "status_url")
    @classmethod
    def _without_slash_at_the_end(cls, url: str) -> str:
        return url.rstrip("/")

    @model_validator(mode="after")
    def _origins_are_listed(self) -> Self:
        if "*" in self.origins:
            raise ValueError("web.origins is '*'; list the origins that may call the APIs")
        return self


class BlobSettings(Group):
    """Azure Blob Storage."""

    connection_string: SecretStr | None = None
    """For Azurite. On Azure leave it out and set `account_url`: the managed identity is used."""
    account_url: str = ""
    """For example https://NAME.blob.core.windows.net."""
    container: str = "claimcheck"
    """Container of uploads and results."""
    block_bytes: int = Field(default=4 * MIB, ge=64 * 1024, le=64 * MIB)
    """Bytes per staged block; each upload may hold one in memory. Lower: more requests to storage, and 50,000 blocks
    are the most that a blob may have. Higher: more memory per upload."""
    staged_blocks: int = Field(default=16, ge=0)
    """Blocks in memory besides those, of all uploads of one process together: they travel to storage while their
    uploads fill the next. Lower: an upload stops receiving more often while its block travels. Higher: more memory for
    little, since two per upload keep a connection busy."""

    @model_validator(mode="after")
    def _has_an_account(self) -> Self:
        if self.connection_string is None and not self.account_url:
            raise ValueError("blobs.connection_string and blobs.account_url are both missing; set one")
        return self


class QueueSettings(Group):
    """Azure Service Bus."""

    connection_string: SecretStr | None = None
    """For the local emulator. On Azure leave it out and set `namespace`: the managed identity is used."""
    namespace: str = ""
    """For example NAME.servicebus.windows.net. Whoever sends needs Data Sender and Data Receiver: readiness peeks."""
    media: str = "media"
    """Name of the queue for splitting and assembling."""
    speech: str = "speech"
    """Name of the queue for Whisper."""
    language: str = "language"
    """Name of the queue for language models."""
    lease_s: float = Field(default=60.0, gt=0, le=300)
    """Lock duration of the queues in seconds, as they were created. A killed worker's job restarts after it."""
    renew_s: float = Field(default=20.0, gt=0)
    """Age of a lease in seconds at which it is renewed; the SDK's own renewer waits until 10 s are left, too late."""
    quiet_s: float = Field(default=30.0, gt=0)
    """Seconds without a delivery after which a receiver opens a new connection: one that is half open looks just like
    an empty queue. Lower: more connections made by idle workers, half a second each; higher: more time lost."""
    senders: int = Field(default=2, ge=1, le=16)
    """Senders per queue in one process; each is its own connection and sends one message at a time."""

    @model_validator(mode="after")
    def _is_reachable_and_renews_in_time(self) -> Self:
        if self.connection_string is None and not self.namespace:
            raise ValueError("queue.connection_string and queue.namespace are both missing; set one")
        if self.renew_s >= self.lease_s / 2:
            raise ValueError(f"queue.renew_s is {self.renew_s:g}; it must be under half of lease_s = {self.lease_s:g}")
        return self


class RecordSettings(Group):
    """Azure Cosmos DB."""

    endpoint: str = "http://127.0.0.1:8081"
    """Account address. The account must be Strong: a poll must never see an older state than one before it."""
    key: SecretStr | None = None
    """For the local emulator. On Azure leave it out: the managed identity is used."""
    database: str = "claimcheck"
    """Database name."""
    container: str = "jobs"
    """Container name; its partition key is [/tenant, /job_id], its default TTL -1."""


class JobSettings(Group):
    """The life of a job."""

    deadline_s: int = Field(default=24 * 3600, ge=60)
    """Seconds from accept after which an unfinished job fails."""
    retention_s: int = Field(default=7 * 24 * 3600, ge=60)
    """Seconds that a finished job and its result are kept."""
    max_attempts: int = Field(default=5, ge=1, le=10)
    """A job fails once attempt + delivery count exceeds it. Above 10 the broker would dead-letter first."""
    backoff_first_s: float = Field(default=2.0, gt=0)
    """Upper bound in seconds of the first wait before a retry; doubles with each attempt."""
    backoff_max_s: float = Field(default=300.0, gt=0)
    """Upper bound in seconds of any wait before a retry."""
    retry_budget: int = Field(default=10, ge=0, le=1000)
    """Retries that one worker may put back for `backoff_first_s` and its doubles; a success gives back a fifth of one,
    or the whole of its own. Without any left they wait for half to all of `backoff_max_s`, as each last retry does.
    Higher: an outage uses up the attempts of more jobs before the rest are spared; lower: hiccups take longer."""


class WorkerSettings(Group):
    """Worker processes."""

    slots: int = Field(default=1, ge=1, le=64)
    """Deliveries run at once, each received on a connection of its own. More than the models can work on at once would
    hold leases without working. The queue `language` has `language.slots` in its place."""
    drain_s: float = Field(default=25.0, gt=0)
    """Seconds from SIGTERM to exit; Azure kills after 30."""
    scratch_dir: Path = Path(".local/scratch")
    """Folder for downloads and decoded audio; swept at start."""
    scratch_max_bytes: int = Field(default=8192 * MIB, ge=MIB)
    """Bytes of downloads that all deliveries of this worker may keep there together. Beyond it a job is retried later.
    Decoded audio comes on top: 32 KB per second of recording."""
    health_port: int = Field(default=0, ge=0, le=65535)
    """Port of /healthz and /readyz, and on a worker of the queue `language` of /endpoints and /metrics, on the address
    `web.host`; 0: none. Nobody is asked for a key there."""


class KeeperSettings(Group):
    """The keeper: one small process that is always on. Two do no harm, and everything twice."""

    sweep_s: float = Field(default=300.0, gt=0)
    """Seconds between two sweeps. Each costs a listing of every blob (one request for 1,000) and a read (2 RU) of the
    record of each new one."""
    full_sweep_s: float = Field(default=24 * 3600.0, gt=0)
    """Seconds between two sweeps that read the records of old blobs too: those of jobs that have expired."""
    orphan_age_s: float = Field(default=900.0, ge=1)
    """Age in seconds from which a blob without a record is deleted. A record follows its upload within four minutes at
    the very worst; too low would delete under a slow request's hands, and is refused by the time limits in `web`."""
    rescue_s: float = Field(default=30.0, gt=0)
    """Seconds between two looks for jobs whose message is gone. Each costs a query and a peek per queue."""
    rescues_per_min: float = Field(default=60.0, gt=0)
    """Jobs that are announced anew in a minute, per queue: an error of ours must not become a flood."""
    deadline_check_s: float = Field(default=60.0, gt=0)
    """Seconds between two looks for jobs past their deadline; so much later than that they fail at the latest."""
    erase_again_s: float = Field(default=600.0, gt=0)
    """Seconds after an erase until the second one: longer than `queue.lease_s`, so that no worker still writes."""
    brake: bool = True
    """Stop a full sweep before it deletes anything if, of 100 uploads younger than `job.retention_s`, more than 25 have
    no record: the database is then empty, restored, or another installation's. False: sweep all the same, for example
    after `job.retention_s` was raised; set it back when one sweep has ended."""
    reads_per_s: float = Field(default=50.0, gt=0)
    """Records that a sweep reads in a second, at 2 RU each. At 50 a full sweep of a million blobs takes six hours;
    more of them take more of the throughput that requests live on."""


class SpeechSettings(Group):
    """Whisper."""

    model: str = "base"
    """Model when the options name none: a local folder, or a name such as base, tiny.en, large-v3."""
    models: tuple[str, ...] = ("tiny.en", "base")
    """Models that the options may ask for, as JSON. A worker loads each at its first use and keeps it."""
    models_dir: Path = Path(".local/models")
    """Where models are kept; `<models_dir>/<name>` is a model folder."""
    compute_type: Literal["int8", "int8_float16", "float16", "float32", "auto"] = "int8"
    """Number format while computing. int8 on CPU: 1.1 % word errors at a quarter of float32's time."""
    device: Literal["cpu", "cuda", "auto"] = "cpu"
    """Where the model runs."""
    cpu_threads: int = Field(default=1, ge=1, le=64)
    """Threads of one inference. Two workers of one thread beat one of two: .020 against .036 of real time."""
    max_audio_s: float = Field(default=7200.0, gt=0)
    """Longest recording in seconds, inclusive; longer ones fail and say so."""
    hub_timeout_s: float = Field(default=5.0, gt=0)
    """Seconds to wait for the model hub before the next source is tried."""


class MediaSettings(Group):
    """The child process that opens what clients uploaded."""

    memory_bytes: int = Field(default=1024 * MIB, ge=256 * MIB)
    """Address space of one child. A file that needs more fails alone."""
    cpu_s: int = Field(default=600, ge=1)
    """CPU seconds of one child; two hours of opus take about 8."""
    wall_s: float = Field(default=900.0, gt=0)
    """Seconds one child may take in all."""
