"""What an `Idempotency-Key` means: the same key of the same tenant is the same job. Pure.

Source: draft-ietf-httpapi-idempotency-key-header-07. A key is known for as long as its job's record is.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from claimcheck.errors import IdempotencyKeyReused, MalformedRequest
from claimcheck.job import Job

MAX_KEY_CHARS = 255
_VISIBLE = re.compile(r"[\x21-\x7e]+")


def read_key(headers: Sequence[str]) -> str | None:
    """The key in the `Idempotency-Key` headers, quoted as the draft has it or bare; None without one.

    Raises MalformedRequest.
    """
    if not headers:
        return None
    if len(headers) > 1:
        raise MalformedRequest(f"Idempotency-Key came {len(headers)} times; one is expected")
    key = headers[0].strip()
    if len(key) >= 2 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if len(key) > MAX_KEY_CHARS or not _VISIBLE.fullmatch(key):
        raise MalformedRequest(
            f"Idempotency-Key has {len(key)} characters: {key[:40]!r};"
            f" 1 to {MAX_KEY_CHARS} visible ASCII characters are expected"
        )
    return key


def job_id_for(tenant: str, key: str) -> str:
    """The id of the job that this key makes: SHA-256 as a UUID of version 8 (RFC 9562, 5.8)."""
    digest = bytearray(hashlib.sha256(f"{tenant}\n{key}".encode()).digest()[:16])
    digest[6] = (digest[6] & 0x0F) | 0x80
    digest[8] = (digest[8] & 0x3F) | 0x80
    return str(uuid.UUID(bytes=bytes(digest)))


def check_same_request(
    job: Job, *, task: str, options: Mapping[str, Any], sha256: str, input_of: str | None = None
) -> None:
    """Raises IdempotencyKeyReused unless the request that made `job` asked for this.

    The fingerprint is task, options and the file's bytes; its name and type may differ. Of a request that names an
    earlier job, that name stands for the bytes: the same request must be known also once that job is gone.
    """
    differs = {
        "another task": job.task != task,
        "other options": job.options != options,
        "another file": job.input_of != input_of or (input_of is None and job.upload.sha256 != sha256),
    }
    if others := [what for what, does in differs.items() if does]:
        raise IdempotencyKeyReused(f"this key came with {' and '.join(others)}; a key stands for one request")
