"""A client that writes bytes and reads bytes: for requests that no HTTP library would send."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

ANSWER_S = 20.0
PIECE_BYTES = 64 * 1024


@dataclass(frozen=True)
class Said:
    """One answer of a server."""

    status: int
    headers: dict[str, str]
    body: bytes

    def problem(self) -> dict[str, Any]:
        """The problem document, checked to be one."""
        assert self.headers["content-type"] == "application/problem+json", self
        document: dict[str, Any] = json.loads(self.body)
        assert document["status"] == self.status
        return document

    @property
    def slug(self) -> str:
        """The end of the problem's type."""
        kind: str = self.problem()["type"]
        return kind.removeprefix("urn:claimcheck:problem:")


class Wire:
    """One connection."""

    def __init__(self, url: str) -> None:
        at = urlsplit(url)
        self.socket = socket.create_connection((at.hostname or "", at.port or 80), timeout=ANSWER_S)
        self._seen = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Write all of it. Raises OSError if the server has ended the connection."""
        self.socket.sendall(data)

    def flood(self, piece: bytes, *, limit_s: float) -> int:
        """Write `piece` again and again, reading nothing, until the server ends the connection; bytes written."""
        sent, ends_at = 0, time.monotonic() + limit_s
        with contextlib.suppress(ConnectionError):
            while True:
                assert time.monotonic() < ends_at, f"the server still takes bytes after {limit_s:g} s"
                sent += self.socket.send(piece)
        return sent

    def answer(self) -> Said:
        """The next answer. Raises EOFError if the connection ends first."""
        while (made := _parsed(self._seen)) is None:
            if not (data := self.socket.recv(PIECE_BYTES)):
                raise EOFError(f"the connection ended after {self._seen[:200]!r}")
            self._seen += data
        said, length = made
        self._seen = self._seen[length:]
        return said

    def ends(self) -> None:
        """Wait for the end of the connection; fails if anything is said before it."""
        with contextlib.suppress(ConnectionError):
            while data := self.socket.recv(PIECE_BYTES):
                self._seen += data
        assert not self._seen, f"more was said: {self._seen[:200]!r}"

    def answers(self) -> list[Said]:
        """Every answer until the connection ends."""
        found = []
        with contextlib.suppress(EOFError, ConnectionError):
            while True:
                found.append(self.answer())
        assert not self._seen, f"half an answer: {self._seen[:200]!r}"
        return found


def exchange(url: str, data: bytes) -> list[Said]:
    """Write to a new connection, and read until it ends."""
    with Wire(url) as wire:
        wire.send(data)
        return wire.answers()


def _parsed(seen: bytes) -> tuple[Said, int] | None:
    """The first answer in `seen` and its length; None if it is not complete."""
    head, end, rest = seen.partition(b"\r\n\r\n")
    if not end:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(headers.get("content-length", "0"))
    if len(rest) < length:
        return None
    return Said(int(first.split()[1]), headers, rest[:length]), len(head) + len(end) + length
