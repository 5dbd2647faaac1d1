"""Requests that offer an upgrade, which nobody takes up: with a body and without, they are requests like any other."""

from __future__ import annotations

import pytest

from tests.services.http.test_hostile_requests import (
    CHUNKED,
    CHUNKS,
    FRAMINGS,
    HEADER_BYTES,
    LAST,
    SMUGGLED,
    head,
    refused,
    url,
)
from tests.stack.system import System
from tests.stack.wire import Wire, exchange

__all__ = ["url"]

# As Java's client asks for HTTP/2, with every request.
UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\n"

CLEAR = {
    "an upgrade with a length": (UPGRADE + b"Content-Length: 44\r\n", SMUGGLED),
    "an upgrade behind a length": (b"Content-Length: 44\r\n" + UPGRADE, SMUGGLED),
    "an upgrade with chunks": (UPGRADE + CHUNKED, b"2c\r\n" + SMUGGLED + b"\r\n0\r\n\r\n"),
    "an upgrade to WebSocket": (b"Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 44\r\n", SMUGGLED),
    "two upgrades": (b"Upgrade: h2c\r\n" + UPGRADE + b"Content-Length: 44\r\n", SMUGGLED),
}


@pytest.mark.parametrize("what", CLEAR)
def test_body_behind_an_upgrade_is_never_taken_for_a_request(url: str, what: str) -> None:
    lines, body = CLEAR[what]
    said = exchange(url, head(lines) + body + LAST)
    assert [answer.status for answer in said] == [200, 200]
    assert "ready" in said[1].body.decode()


@pytest.mark.parametrize("what", CLEAR)
def test_body_that_comes_byte_by_byte_is_read_to_its_end(running: System, what: str) -> None:
    lines, body = CLEAR[what]
    with Wire(running.process_url) as wire:
        for byte in head(lines, target=b"/v1/jobs?task=probe", method=b"POST") + body + LAST:
            wire.send(bytes([byte]))
        assert [answer.status for answer in wire.answers()] == [202, 200]


@pytest.mark.parametrize("lines", [UPGRADE + b"%b", b"%b" + UPGRADE], ids=["before", "behind"])
@pytest.mark.parametrize("what", FRAMINGS)
def test_an_upgrade_makes_no_ambiguous_framing_clear(running: System, what: str, lines: bytes) -> None:
    said = exchange(running.process_url, head(lines % FRAMINGS[what]) + b"0\r\n\r\n" + SMUGGLED)
    refused(said, 400, "malformed-request")


@pytest.mark.parametrize("what", CHUNKS)
def test_an_upgrade_makes_no_malformed_chunk_well(running: System, what: str) -> None:
    said = exchange(running.process_url, head(UPGRADE, CHUNKED) + CHUNKS[what] + SMUGGLED)
    refused(said, 400, "malformed-request")


def test_upload_that_offers_an_upgrade_is_accepted(running: System) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nabc\r\n--b--\r\n'
    form = b"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: %d\r\n" % len(body)
    upload = head(UPGRADE, form, target=b"/v1/jobs?task=probe", method=b"POST") + body
    said = exchange(running.process_url, head() + upload * 2 + LAST)
    assert [answer.status for answer in said] == [200, 202, 202, 200]


def test_large_head_with_an_upgrade_and_a_body_is_431(url: str) -> None:
    lines = (UPGRADE, b"Content-Length: 44\r\n", b"X: " + b"a" * HEADER_BYTES + b"\r\n")
    refused(exchange(url, head(*lines) + SMUGGLED), 431, "headers-too-large")


def test_last_request_that_offers_an_upgrade_is_the_last(url: str) -> None:
    lines = b"Connection: close, Upgrade\r\nUpgrade: h2c\r\nContent-Length: 44\r\n"
    said = exchange(url, head(lines) + SMUGGLED + LAST)
    assert [(answer.status, answer.headers["connection"]) for answer in said] == [(200, "close")]


def test_older_http_may_offer_an_upgrade_too(url: str) -> None:
    old = head(UPGRADE, b"Content-Length: 44\r\n").replace(b"HTTP/1.1", b"HTTP/1.0")
    assert [answer.status for answer in exchange(url, old + SMUGGLED)] == [200]


def test_body_that_waits_to_be_asked_for_is_asked_for_behind_an_upgrade(running: System) -> None:
    lines = (UPGRADE, b"Content-Length: 3\r\nExpect: 100-continue\r\n")
    with Wire(running.process_url) as wire:
        wire.send(head(*lines, target=b"/v1/jobs?task=probe", method=b"POST"))
        assert wire.answer().status == 100
        wire.send(b"abc")
        assert wire.answer().status == 202
