"""Clients that take their time: a head that does not end is cut off, and nobody else waits for it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.conftest import RunSystem
from tests.stack.client import ANSWER_S
from tests.stack.system import System
from tests.stack.wire import Said, Wire

LIMIT_S = 1.0
SOON_S = 15.0  # Far below what such a client would take.
GET = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
BEGUN = b"GET /healthz HTTP/1.1\r\nX: "


@pytest.fixture(scope="module")
def hurried(run_system: RunSystem) -> Iterator[System]:
    """Both APIs, with little patience."""
    with run_system(workers=0, env={"CLAIMCHECK_WEB__HEADER_S": str(LIMIT_S)}) as system:
        yield system


@pytest.fixture(params=["process-api", "status-api"])
def url(request: pytest.FixtureRequest, hurried: System) -> str:
    """Each of the APIs."""
    return hurried.process_url if request.param == "process-api" else hurried.status_url


def dribble(wire: Wire, piece: bytes) -> Said:
    """Write a little every tenth of a second until there is an answer."""
    wire.socket.settimeout(0.1)
    while True:
        with contextlib.suppress(TimeoutError):
            return wire.answer()
        wire.send(piece)


def cut_off(wire: Wire, piece: bytes, *, since: float) -> None:
    """Check that headers which began after `since` become a 408 in time, and that the connection ends."""
    said = dribble(wire, piece)
    assert LIMIT_S / 2 < time.monotonic() - since < SOON_S
    assert (said.status, said.slug, said.headers["connection"]) == (408, "headers-too-slow", "close")
    wire.socket.settimeout(10)
    wire.ends()


def test_slow_headers_are_cut_off(url: str) -> None:
    began_at = time.monotonic()
    with Wire(url) as wire:
        wire.send(BEGUN)
        cut_off(wire, b"a", since=began_at)


def test_slow_headers_of_a_later_request_are_cut_off(url: str) -> None:
    with Wire(url) as wire:
        for _ in range(2):
            wire.send(GET)
            assert wire.answer().status == 200
        began_at = time.monotonic()
        wire.send(BEGUN)
        cut_off(wire, b"a", since=began_at)


def test_slow_headers_right_behind_a_request_are_cut_off(url: str) -> None:
    began_at = time.monotonic()
    with Wire(url) as wire:
        wire.send(GET + BEGUN)
        assert wire.answer().status == 200
        cut_off(wire, b"a", since=began_at)


def test_empty_lines_buy_no_time(url: str) -> None:
    began_at = time.monotonic()
    with Wire(url) as wire:
        cut_off(wire, b"\r\n", since=began_at)


def test_silent_connection_is_closed_without_a_word(url: str) -> None:
    began_at = time.monotonic()
    with Wire(url) as wire:
        wire.ends()
    assert LIMIT_S / 2 < time.monotonic() - began_at < SOON_S


def test_connection_that_was_of_use_may_be_idle_for_longer(url: str) -> None:
    with Wire(url) as kept, Wire(url) as silent:
        kept.send(GET)
        assert kept.answer().status == 200
        silent.ends()
        kept.send(GET)
        assert kept.answer().status == 200


def test_body_may_take_longer_than_headers(hurried: System) -> None:
    with Wire(hurried.process_url) as wire, Wire(hurried.process_url) as silent:
        wire.send(
            b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\n"
            b"Content-Length: 11\r\n\r\n"
        )
        silent.ends()
        wire.send(b"no boundary")
        assert wire.answer().slug == "malformed-upload"


def test_others_are_served_meanwhile(url: str) -> None:
    with contextlib.ExitStack() as opened:
        slow = [opened.enter_context(Wire(url)) for _ in range(100)]
        for wire in slow:
            wire.send(BEGUN)
        for _ in range(20):
            assert httpx.get(f"{url}/healthz", timeout=ANSWER_S).status_code == 200
        for wire in slow:
            assert wire.answer().status == 408
            wire.ends()
