"""The HTTP server: read a request, let a fault strike, answer.

Owns the connection to aiohttp, the timer of the next expiry, and the promise that no request ends in a 500 by itself.
"""

from __future__ import annotations

import asyncio
import math
import time

from aiohttp import web
from aiohttp.web_request import BaseRequest

from ..faults import Fault, Faults, InjectedFault
from . import control
from .account import Account
from .authorization import Authorizer
from .charges import Totals
from .errors import THROTTLED, ServiceError, bad_request, too_large
from .exchange import DATE, RETRY_AFTER_MS, Answer, Call, common_headers, refusal_answer, split_path
from .item_routes import refused_batch
from .persistence import JournalRecorder
from .routes import Route, labels_of, route_of
from .values import InvalidJson

MAX_REQUEST_BYTES = 12 * 1024 * 1024  # An item of 2 MB whose every character the client escaped to six.
_RETRY_WITH = "449"


class Service:
    """Answers requests for one account."""

    def __init__(self, account: Account, authorizer: Authorizer, journal: JournalRecorder | None) -> None:
        self._account = account
        self._authorizer = authorizer
        self._journal = journal
        self._faults = Faults()
        self._totals = Totals()
        self._timer: asyncio.TimerHandle | None = None
        self._wakes_at = math.inf

    async def handle(self, request: BaseRequest) -> web.StreamResponse:
        """Answer one HTTP request."""
        call = Call(
            request.method,
            split_path(request.raw_path),
            request.headers,
            b"",
            f"{request.scheme}://{request.host}",
        )
        try:
            call.raw = await _read_body(request)
            answer = await self._answer(call)
        except ServiceError as refusal:
            answer = refusal_answer(refusal)
        except InjectedFault as fault:
            if fault.error == "drop":
                return _dropped(request)
            answer = _injected(call, fault)
        headers = common_headers(call)
        headers.update(answer.headers)
        return web.Response(status=answer.status, body=answer.body, headers=headers)

    async def _answer(self, call: Call) -> Answer:
        if call.segments[:1] == ["_emulator"]:
            return control.answer(call, self._faults, self._totals)
        self._authorizer.check(
            call.headers.get("authorization"),
            method=call.method,
            segments=call.segments,
            date=call.headers.get(DATE, ""),
        )
        route = route_of(call)
        call.decode()
        fault = self._faults.hit(route.kind, **(labels_of(call) if self._faults.armed else {}))
        return self._run(route, call) if fault is None else await self._run_struck(route, call, fault)

    async def _run_struck(self, route: Route, call: Call, fault: Fault) -> Answer:
        await fault.before()
        answer = self._run(route, call)
        await fault.after()
        return answer

    def _run(self, route: Route, call: Call) -> Answer:
        try:
            return route.run(self._account, call)
        except (InvalidJson, RecursionError) as cause:
            raise bad_request(f"The request cannot be carried out: {str(cause)[:200]}") from cause
        except OSError as cause:
            raise ServiceError(503, f"The journal cannot be written: {cause}") from cause
        finally:
            self._totals.add(route.kind, call.charge)
            self._after_write()

    def _after_write(self) -> None:
        if self._journal is not None:
            self._journal.compact_if_due(self._account)
        if self._account.next_expiry_at < self._wakes_at:
            self._wake_at(self._account.next_expiry_at)

    def _wake_at(self, unix_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._wakes_at = unix_s
        # A day at most: event loops refuse, or lose, delays of months.
        delay_s = min(max(unix_s - time.time(), 0.0), 86_400.0)
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._purge)

    def _purge(self) -> None:
        self._timer, self._wakes_at = None, math.inf
        self._account.purge(time.time())
        if self._account.next_expiry_at < math.inf:
            self._wake_at(self._account.next_expiry_at)

    def close(self) -> None:
        """Stop the timer and give the journal back."""
        if self._timer is not None:
            self._timer.cancel()
        if self._journal is not None:
            self._journal.close()


async def _read_body(request: BaseRequest) -> bytes:
    if not request.body_exists:
        return b""
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge as cause:
        raise too_large(request.content_length or MAX_REQUEST_BYTES + 1, MAX_REQUEST_BYTES) from cause
    except web.RequestPayloadError as cause:
        raise bad_request(f"The request body cannot be read: {cause}") from cause


def _injected(call: Call, fault: InjectedFault) -> Answer:
    if not fault.error.isdecimal() or not 400 <= int(fault.error) <= 599:
        return refusal_answer(bad_request(f"The fault's error {fault.error!r} is neither a status nor 'drop'."))
    status = int(fault.error)
    refusal = ServiceError(status, "Injected by a test.", substatus=THROTTLED if status == 429 else 0)
    if fault.error == _RETRY_WITH and isinstance(call.body, list):
        return refused_batch(call, refusal)
    answer = refusal_answer(refusal)
    if fault.retry_after_s is not None:
        answer.headers[RETRY_AFTER_MS] = str(round(fault.retry_after_s * 1000))
    return answer


def _dropped(request: BaseRequest) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
