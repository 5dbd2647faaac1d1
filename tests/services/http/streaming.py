"""Bodies that the client makes up as it goes, so that only the server's memory is in question."""

from __future__ import annotations

import random
from collections.abc import Iterator

import httpx

from tests.services.http.test_submit import FORM, field
from tests.stack.client import ANSWER_S

CHUNK = random.Random(0).randbytes(256 * 1024)
BEFORE = f'--X\r\n{field("task", "probe")}\r\n--X\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
AFTER = "\r\n--X--\r\n"


def pieces(size_bytes: int) -> Iterator[bytes]:
    """So many bytes."""
    for begin in range(0, size_bytes, len(CHUNK)):
        yield CHUNK[: size_bytes - begin]


def post_form(url: str, size_bytes: int) -> httpx.Response:
    """Upload so many bytes in a form."""

    def body() -> Iterator[bytes]:
        yield BEFORE.encode()
        yield from pieces(size_bytes)
        yield AFTER.encode()

    headers = {"Content-Type": FORM, "Content-Length": str(len(BEFORE) + size_bytes + len(AFTER))}
    return httpx.post(f"{url}/v1/jobs", content=body(), headers=headers, timeout=ANSWER_S)


def post_raw(url: str, size_bytes: int) -> httpx.Response:
    """Upload so many bytes as the body itself."""
    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size_bytes)}
    return httpx.post(f"{url}/v1/jobs?task=probe", content=pieces(size_bytes), headers=headers, timeout=ANSWER_S)
