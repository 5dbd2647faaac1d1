"""Where the APIs are and with which key they are asked; what both clients tell httpx. No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import httpx

from claimcheck.client.exchange import Request

CONNECT_S: Final = 10.0
WRITE_S: Final = 60.0  # The server stops reading for up to 30 s while it stores a block.

# A connection that idled may be closed by the server at the moment it is used again, and then an upload is half sent.
# So uploads begin on fresh ones; next to sending a file, opening one costs nothing.
UNSHARED: Final = httpx.Limits(max_keepalive_connections=0)
SHARED: Final = httpx.Limits()

_VISIBLE = re.compile(r"[\x21-\x7e]+")


def httpx_arguments(url: str, key: str | None) -> dict[str, Any]:
    """How httpx is set up for one API. Raises ValueError for what is no address or no key; never shows the key."""
    parsed = _parsed(url)
    if key and not _VISIBLE.fullmatch(key):
        raise ValueError("the API key has a character that no header may carry; visible ASCII is expected")
    return {
        "base_url": parsed,
        "headers": {"Authorization": f"Bearer {key}"} if key else {},
        "follow_redirects": False,  # The key must not go where an answer points.
    }


def timeout(request: Request) -> httpx.Timeout:
    """The limits of one request."""
    return httpx.Timeout(connect=CONNECT_S, write=WRITE_S, read=request.answer_s, pool=None)


def sent_as(request: Request) -> Mapping[str, Any]:
    """A request without its body, as httpx takes it."""
    return {
        "method": request.method,
        "url": request.path,
        "params": dict(request.params),
        "headers": dict(request.headers),
        "timeout": timeout(request),
    }


def _parsed(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as cause:
        raise ValueError(f"the address is {url[:200]!r}: {cause}") from cause
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.query or parsed.userinfo:
        raise ValueError(f"the address is {str(parsed)[:200]!r}; http://HOST:PORT or https://HOST is expected")
    return parsed
