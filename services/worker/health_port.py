"""/healthz and /readyz of a worker on a port of its own, for probes and for whoever starts it; and its role's pages."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from aiohttp import web

from claimcheck.health import Health


@contextlib.asynccontextmanager
async def serving_health(
    health: Health, host: str, port: int, pages: Sequence[web.RouteDef] = ()
) -> AsyncIterator[None]:
    """Serve while the context lasts; port 0 is none."""
    if not port:
        yield
        return
    app = web.Application()
    app.add_routes([web.get("/healthz", _alive), web.get("/readyz", _ready(health)), *pages])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    try:
        yield
    finally:
        await runner.cleanup()


async def _alive(request: web.Request) -> web.Response:
    return web.json_response({"status": "alive"})


def _ready(health: Health) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def ready(request: web.Request) -> web.Response:
        answer = health.answer()
        return web.json_response(answer.body, status=answer.status)

    return ready
