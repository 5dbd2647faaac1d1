"""A server that gives scripted answers, one to each connection, and remembers what it was asked."""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from claimcheck.commands.up.addresses import HOST


@dataclass(frozen=True)
class Answer:
    """What one connection gets. `early`: as soon as the headers have come, before the body."""

    status: int
    body: Mapping[str, Any] | bytes = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    early: bool = False

    def encoded(self) -> bytes:
        """The bytes."""
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        named = {"Content-Length": str(len(body)), "Connection": "close", **self.headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        return f"HTTP/1.1 {self.status} Scripted\r\n{lines}\r\n".encode() + body


def refusal(status: int, title: str, detail: str, headers: Mapping[str, str] | None = None, **how: Any) -> Answer:
    """A problem document of the API's."""
    document = {"type": "urn:claimcheck:problem:scripted", "title": title, "status": status, "detail": detail}
    return Answer(status, document, headers or {}, **how)


@dataclass
class Asked:
    """What one connection asked. `body` as it travelled."""

    head: str
    body: bytes = b""

    @property
    def first_line(self) -> str:
        """Method and target."""
        return self.head.partition("\r\n")[0].removesuffix(" HTTP/1.1")

    def header(self, name: str) -> str | None:
        """A header's value."""
        lines = (line.partition(": ") for line in self.head.split("\r\n")[1:])
        return next((value for found, _, value in lines if found.lower() == name.lower()), None)


class Scripted(socketserver.ThreadingTCPServer):
    """The server; after its last answer it gives none."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, *answers: Answer) -> None:
        super().__init__((HOST, 0), _Connection)
        self.answers, self.asked = deque(answers), list[Asked]()
        self.url = f"http://{HOST}:{self.server_address[1]}"


class _Connection(socketserver.StreamRequestHandler):
    server: Scripted

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                if not (line := self.rfile.readline()):
                    return
                head += line
            asked = Asked(head.decode("latin-1").removesuffix("\r\n\r\n"))
            self.server.asked.append(asked)
            if self.server.answers:
                self._answer(self.server.answers.popleft(), asked)

    def _answer(self, answer: Answer, asked: Asked) -> None:
        if answer.early:
            self.wfile.write(answer.encoded())
            # Read on, as servers do: closing at once would destroy the answer on its way.
            while data := self.rfile.read1(64 * 1024):
                asked.body += data
            return
        if asked.header("transfer-encoding") == "chunked":
            while not asked.body.endswith(b"0\r\n\r\n"):
                asked.body += self.rfile.read1(64 * 1024)
        else:
            asked.body = self.rfile.read(int(asked.header("content-length") or 0))
        self.wfile.write(answer.encoded())


@contextlib.contextmanager
def scripted(*answers: Answer) -> Iterator[Scripted]:
    """A server while the context lasts."""
    with Scripted(*answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def nobody() -> Iterator[str]:
    """An address that refuses every connection while the context lasts: nobody else can begin to listen there."""
    with socket.socket() as held:
        held.bind((HOST, 0))
        yield f"http://{HOST}:{held.getsockname()[1]}"
