"""Hand an answer over: whole, or as badly as a rule wants it.

Owns bytes and the connection; what the answer says is decided before. An answer is a list of pieces: one, or the
events of a stream.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NoReturn

from aiohttp import web
from aiohttp.web_request import BaseRequest

from .script import Rule

_DRIPS = 20
_JSON = "application/json"
_EVENTS = "text/event-stream"


async def send(
    request: BaseRequest, pieces: Sequence[bytes], *, rule: Rule, streams: bool, headers: dict[str, str]
) -> web.StreamResponse:
    """Return once the answer is handed to the operating system."""
    typed = {**headers, "Content-Type": _EVENTS if streams else _JSON}
    if rule.action == "drip":
        return await _drip(request, pieces, rule.drip_s, streams=streams, headers=typed)
    if rule.action == "truncate":
        return await _truncate(request, pieces, streams=streams, headers=typed)
    if rule.action == "short":
        pieces = _half(pieces)
    if not streams:
        return await _finish(web.Response(body=b"".join(pieces), headers=typed), request)
    response = web.StreamResponse(headers=typed)
    await response.prepare(request)
    for piece in pieces:
        await response.write(piece)
    return await _finish(response, request)


async def hang() -> NoReturn:
    """Wait until the client leaves, which cancels whoever waits here."""
    await asyncio.Event().wait()
    raise AssertionError("nobody sets this event")


def close(request: BaseRequest) -> web.StreamResponse:
    """Close the connection without a byte."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _drip(
    request: BaseRequest, pieces: Sequence[bytes], drip_s: float, *, streams: bool, headers: dict[str, str]
) -> web.StreamResponse:
    body = b"".join(pieces)
    response = web.StreamResponse(headers=headers if streams else {**headers, "Content-Length": str(len(body))})
    await response.prepare(request)
    size = -(-len(body) // _DRIPS)
    for at in range(0, len(body), size):
        # The pause comes first: a client that has seen the end of a stream leaves at once.
        await asyncio.sleep(drip_s / _DRIPS)
        await response.write(body[at : at + size])
    return await _finish(response, request)


async def _truncate(
    request: BaseRequest, pieces: Sequence[bytes], *, streams: bool, headers: dict[str, str]
) -> web.StreamResponse:
    whole = sum(map(len, pieces))
    response = web.StreamResponse(headers=headers if streams else {**headers, "Content-Length": str(whole)})
    await response.prepare(request)
    await response.write(b"".join(_half(pieces)))
    if request.transport is not None:
        request.transport.close()
    return response


async def _finish(response: web.StreamResponse, request: BaseRequest) -> web.StreamResponse:
    await response.prepare(request)
    await response.write_eof()
    return response


def _half(pieces: Sequence[bytes]) -> list[bytes]:
    """The first half: of the pieces, or of the bytes of the only one."""
    if len(pieces) == 1:
        return [pieces[0][: len(pieces[0]) // 2]]
    return list(pieces[: len(pieces) // 2])
