"""The HTTP connections of the Azure SDKs."""

from __future__ import annotations

from urllib.request import getproxies

from azure.core.pipeline.transport import AioHttpTransport


def http_transport() -> AioHttpTransport:
    """A connection pool for one client, which closes it.

    By default the SDKs tell aiohttp to look for proxies and a ~/.netrc before each request, in two threads one after
    the other: a third of the CPU time of a point read (aiohttp 3.14). A proxy is looked for once, here; only with one
    are they told so.
    """
    return AioHttpTransport(use_env_settings=not getproxies().keys().isdisjoint({"http", "https"}))
