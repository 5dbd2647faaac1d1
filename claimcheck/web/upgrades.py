"""Requests that offer to go on in another protocol, as Java's client does with each. Nobody takes that up here.

To the parser a request ends with the head that offers an upgrade. If it has a body, that would be taken for the next
request: so the head is parsed again, by a new parser and without the offer.
"""

from __future__ import annotations

import httptools

_BODY_HEADERS = (b"content-length", b"transfer-encoding")


def head_without_upgrade(parser: httptools.HttpRequestParser, url: bytes, headers: list[tuple[bytes, bytes]]) -> bytes:
    """The head just parsed as that of an ordinary request; empty if it has no body, and nothing need be done.

    Names and values are as the parser let them through, so that none of them can end its line.
    """
    if not any(name in _BODY_HEADERS for name, _ in headers):
        return b""
    kept = [b"%b: %b\r\n" % header for header in headers if header[0] != b"upgrade"]
    if len(kept) == len(headers):
        return b""  # CONNECT, whose target is none of ours.
    first = b"%b %b HTTP/%b\r\n" % (parser.get_method(), url, parser.get_http_version().encode())
    return first + b"".join(kept) + b"\r\n"


def new_parser(protocol: object) -> httptools.HttpRequestParser:
    """A parser as uvicorn makes it."""
    parser = httptools.HttpRequestParser(protocol)
    parser.set_dangerous_leniencies(lenient_data_after_close=True)
    return parser
