"""A small HTTP/1.1 server that takes plain and TLS connections on one port, told apart by their first byte.

Owns bytes, connections and TLS; routes are admin.py's. ServiceBusAdministrationClient insists on https; curl is happier
without. No web framework: its import would take longer than the whole emulator's start.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

log = logging.getLogger(__name__)

MAX_HEAD_BYTES = 65_536
MAX_BODY_BYTES = 1_048_576
HEAD_DEADLINE_S = 60.0
"""How long a connection may stand without a whole request."""
_TLS_HANDSHAKE = b"\x16"


@dataclass(frozen=True)
class HttpRequest:
    """A request; the path is decoded and has no slash at either end."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class HttpResponse:
    """An answer."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"


Handler = Callable[[HttpRequest], Awaitable[HttpResponse]]
_REASONS = {200: "OK", 201: "Created", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 409: "Conflict"}


class HttpServer:
    """One listening socket. `tls_context` is called at the first TLS connection."""

    def __init__(self, handler: Handler, tls_context: Callable[[], ssl.SSLContext]) -> None:
        self._handler, self._tls_context = handler, tls_context
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, host: str, port: int) -> int:
        """Listen; the port, which is a free one for 0. Raises OSError."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=100)
        self._listener.setblocking(False)
        self._spawn(self._accept())
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        """Stop listening and hang up."""
        for task in list(self._tasks):
            task.cancel()
        self._listener.close()

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self) -> None:
        while True:
            accepted, _ = await asyncio.get_running_loop().sock_accept(self._listener)
            self._spawn(self._serve(accepted))

    async def _serve(self, accepted: socket.socket) -> None:
        accepted.setblocking(False)
        writer = None
        try:
            context = self._tls_context() if await _first_byte(accepted) == _TLS_HANDSHAKE else None
            reader, writer = await _streams(accepted, context)
            while (request := await asyncio.wait_for(_read_request(reader), HEAD_DEADLINE_S)) is not None:
                writer.write(_encoded(await self._handler(request)))
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, ValueError) as ended:
            log.debug("an HTTP connection ended: %s", ended)
        finally:
            if writer:
                writer.close()
            else:
                accepted.close()


async def _first_byte(accepted: socket.socket) -> bytes:
    """The first byte a client sends, left in the socket for whoever reads next."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(accepted.fileno(), readable.set)
    try:
        await asyncio.wait_for(readable.wait(), HEAD_DEADLINE_S)
    finally:
        loop.remove_reader(accepted.fileno())
    return accepted.recv(1, socket.MSG_PEEK)


async def _streams(
    accepted: socket.socket, context: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=MAX_HEAD_BYTES)
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await loop.connect_accepted_socket(lambda: protocol, accepted, ssl=context)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


async def _read_request(reader: asyncio.StreamReader) -> HttpRequest | None:
    """The next request; None when the client has hung up. Raises ValueError for what is no HTTP."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as ended:
        if ended.partial:
            raise
        return None
    line, *lines = head.decode("latin-1").rstrip().split("\r\n")
    method, target, _ = line.split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (text.partition(":") for text in lines)}
    url = urlsplit(target)
    return HttpRequest(method, unquote(url.path).strip("/"), url.query, headers, await _read_body(reader, headers))


async def _read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = b""
        while (size := int((await reader.readline()).split(b";")[0], 16)) > 0:
            if len(body) + size > MAX_BODY_BYTES:
                raise ValueError(f"body above {MAX_BODY_BYTES} bytes")
            body += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
        return body
    size = int(headers.get("content-length", "0"))
    if not 0 <= size <= MAX_BODY_BYTES:
        raise ValueError(f"body of {size} bytes; the limit is {MAX_BODY_BYTES}")
    return await reader.readexactly(size)


def _encoded(response: HttpResponse) -> bytes:
    with contextlib.suppress(KeyError):
        head = (
            f"HTTP/1.1 {response.status} {_REASONS[response.status]}\r\n"
            f"Content-Type: {response.content_type}\r\nContent-Length: {len(response.body)}\r\n\r\n"
        )
        return head.encode() + response.body
    raise ValueError(f"status {response.status} has no reason phrase here")
