"""Requests that no honest client sends: each is refused and its connection ends, or it means one thing only."""

from __future__ import annotations

import contextlib
import time

import psutil
import pytest

from claimcheck.web.lingering import LINGER_S
from tests.services.http.conftest import LIMIT_BYTES
from tests.stack.client import Client
from tests.stack.system import System
from tests.stack.wire import Said, Wire, exchange

HEADER_BYTES = 32 * 1024  # web.header_bytes
GROWTH_BYTES = 16 * 1024 * 1024
ENDS_S = 18.0  # Of a connection whose client sends on without an end.
TRIES = 4  # Of which the quickest says how long the server takes: each of the others may have met with a pause.
SMUGGLED = b"GET /v1/jobs/smuggled HTTP/1.1\r\nHost: ab\r\n\r\n"  # 44 bytes; 404 if it is ever answered
LAST = b"GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def head(*lines: bytes, target: bytes = b"/healthz", method: bytes = b"GET") -> bytes:
    """A request without its body."""
    return method + b" " + target + b" HTTP/1.1\r\nHost: a\r\n" + b"".join(lines) + b"\r\n"


def refused(said: list[Said], status: int, slug: str) -> None:
    """Check that this was the only answer, and that the connection ended."""
    assert [answer.status for answer in said] == [status], said
    assert said[0].slug == slug
    assert said[0].headers["connection"] == "close"


def upload_begun() -> bytes:
    """A chunked upload up to the first bytes of its file."""
    form = b"Content-Type: multipart/form-data; boundary=b\r\n"
    begin = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nabc'
    return head(form, CHUNKED, target=b"/v1/jobs", method=b"POST") + b"%x\r\n%s\r\n" % (len(begin), begin)


@pytest.fixture(params=["process-api", "status-api"])
def url(request: pytest.FixtureRequest, running: System) -> str:
    """Each of the APIs."""
    return running.process_url if request.param == "process-api" else running.status_url


FITS = b"X: " + b"a" * (HEADER_BYTES - 200) + b"\r\n"


def test_headers_up_to_the_limit_are_read(url: str) -> None:
    with Wire(url) as wire:
        for _ in range(2):
            wire.send(head(FITS))
            assert wire.answer().status == 200


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(b"X: " + b"a" * HEADER_BYTES + b"\r\n", id="one huge header"),
        pytest.param(b"X" * HEADER_BYTES + b": a\r\n", id="one huge name"),
        pytest.param(b"".join(b"X-%d: a\r\n" % number for number in range(10_000)), id="10,000 headers"),
        pytest.param(b"X: a\r\n" * 4_000 + b"Y: " + b"b" * 20_000 + b"\r\n", id="both"),
    ],
)
@pytest.mark.parametrize("before", [b"", head()], ids=["first request", "behind another"])
def test_header_bomb_is_431(url: str, lines: bytes, before: bytes) -> None:
    said = exchange(url, before + head(lines))
    if before:
        assert said.pop(0).status == 200
    refused(said, 431, "headers-too-large")


@pytest.mark.parametrize("size_bytes", [HEADER_BYTES, 20 * HEADER_BYTES])
def test_huge_target_is_414(url: str, size_bytes: int) -> None:
    refused(exchange(url, head(target=b"/" + b"a" * size_bytes)), 414, "target-too-long")
    refused(exchange(url, b"GET /" + b"a" * size_bytes), 414, "target-too-long")


def test_large_head_in_small_pieces_is_431_as_soon_as_it_is_too_large(url: str) -> None:
    with Wire(url) as wire:
        wire.send(b"GET /healthz HTTP/1.1\r\n")
        for _ in range(HEADER_BYTES // 1024 + 1):
            wire.send(b"X: " + b"a" * 1019 + b"\r\n")
        refused(wire.answers(), 431, "headers-too-large")


ENDLESS = {
    "header": (b"GET /healthz HTTP/1.1\r\nX: ", b"a" * 65536, "headers-too-large"),
    "headers": (b"GET /healthz HTTP/1.1\r\n", b"X: a\r\n" * 8192, "headers-too-large"),
    "target": (b"GET /", b"a" * 65536, "target-too-long"),
    "empty lines": (b"", b"\r\n" * 32768, "headers-too-large"),
    "chunk extension": (head(CHUNKED, target=b"/v1/jobs", method=b"POST") + b"5;a=", b"a" * 65536, None),
    "trailers": (head(CHUNKED, target=b"/v1/jobs", method=b"POST") + b"0\r\n", b"X: a\r\n" * 8192, None),
    "trailer": (head(CHUNKED, target=b"/healthz") + b"0\r\nX: ", b"a" * 65536, None),
    "garbage after the last request": (head(b"Connection: close\r\n"), b"a" * 65536, None),
    "requests": (b"", head() * 1000, None),
}


@pytest.mark.parametrize("what", ENDLESS)
def test_endless_anything_ends_soon_and_costs_no_memory(running: System, what: str) -> None:
    begin, piece, slug = ENDLESS[what]
    process = running.programs["process-api"].process
    assert process is not None
    memory = psutil.Process(process.pid).memory_info
    before_bytes = memory().rss
    with Wire(running.process_url) as wire:
        wire.send(begin)
        wire.flood(piece, limit_s=ENDS_S)
        said = wire.answers()
    assert memory().rss - before_bytes <= GROWTH_BYTES
    assert all(answer.status < 500 for answer in said)
    if slug:
        refused(said, 414 if slug == "target-too-long" else 431, slug)


@pytest.mark.parametrize("rest", [b"5;", b"0\r\nX: "], ids=["chunk extension", "trailer"])
def test_long_chunk_extension_or_trailer_is_431(running: System, rest: bytes) -> None:
    with Wire(running.process_url) as wire:
        wire.send(upload_begun())
        wire.send(rest + b"a" * 20 * HEADER_BYTES)
        refused(wire.answers(), 431, "headers-too-large")


def test_trailers_do_not_become_headers(client: Client, running: System) -> None:
    job_id = client.submit()
    client.until_ended(job_id)
    etag = client.get(job_id).headers["etag"].encode()
    request = head(CHUNKED, target=f"/v1/jobs/{job_id}".encode())
    with Wire(running.status_url) as wire:
        wire.send(request + b"0\r\nIf-None-Match: " + etag + b"\r\n\r\n" + LAST)
        assert [answer.status for answer in wire.answers()] == [200, 200]


def test_close_in_a_trailer_ends_the_connection(url: str) -> None:
    said = exchange(url, head(CHUNKED) + b"0\r\nConnection: close\r\n\r\n" + SMUGGLED)
    assert [answer.status for answer in said] == [200]


MALFORMED = {
    "HTTP/0.9": b"GET /healthz\r\n",
    "HTTP/0.9 by name": b"GET /healthz HTTP/0.9\r\n\r\n",
    "HTTP/2.0": b"GET /healthz HTTP/2.0\r\nHost: a\r\n\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/1.10": b"GET /healthz HTTP/1.10\r\n\r\n",
    "lower case version": b"GET /healthz http/1.1\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 100,
    "unknown method": b"FETCH /healthz HTTP/1.1\r\n\r\n",
    "lower case method": b"get /healthz HTTP/1.1\r\n\r\n",
    "no target": b"GET  HTTP/1.1\r\n\r\n",
    "target with a space": b"GET /a b HTTP/1.1\r\n\r\n",
    "target with NUL": b"GET /\x00 HTTP/1.1\r\n\r\n",
    "target with a byte beyond ASCII": b"GET /\xff HTTP/1.1\r\n\r\n",
    "target without a path": b"GET http://evil.example HTTP/1.1\r\n\r\n",
    "CONNECT": b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "NUL in a value": head(b"X: a\x00b\r\n"),
    "NUL in a name": head(b"X\x00: a\r\n"),
    "control character in a value": head(b"X: a\x01b\r\n"),
    "no colon": head(b"X\r\n"),
    "no name": head(b": a\r\n"),
    "space before the first name": b"GET /healthz HTTP/1.1\r\n Host: a\r\n\r\n",
    "line ends of LF": b"GET /healthz HTTP/1.1\nHost: a\n\n",
    "header that ends with LF": head(b"X: a\nContent-Length: 44\r\n"),
    "head that ends with LF": b"GET /healthz HTTP/1.1\r\nHost: a\r\n\n",
    "bare CR": head(b"X: a\rTransfer-Encoding: chunked\r\n"),
    "header on two lines": head(b"X: a\r\n b\r\n"),
    "no Host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "two Hosts": head(b"Host: b\r\n"),
    "the same Host twice": head(b"Host: a\r\n"),
    "CONNECT with a body and an upgrade": b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n"
    b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 44\r\n\r\n",
}

FRAMINGS = {
    "length and chunked": b"Content-Length: 44\r\n" + CHUNKED,
    "chunked and length": CHUNKED + b"Content-Length: 44\r\n",
    "two lengths": b"Content-Length: 0\r\nContent-Length: 44\r\n",
    "two equal lengths": b"Content-Length: 44\r\nContent-Length: 44\r\n",
    "length with a sign": b"Content-Length: +44\r\n",
    "negative length": b"Content-Length: -44\r\n",
    "list of lengths": b"Content-Length: 44, 44\r\n",
    "hexadecimal length": b"Content-Length: 0x2c\r\n",
    "empty length": b"Content-Length: \r\n",
    "length beyond 64 bits": b"Content-Length: 18446744073709551660\r\n",
    "space before the colon of a length": b"Content-Length : 44\r\n",
    "xchunked": b"Transfer-Encoding: xchunked\r\n",
    "chunked, identity": b"Transfer-Encoding: chunked, identity\r\n",
    "chunked, chunked": b"Transfer-Encoding: chunked, chunked\r\n",
    "chunked twice": CHUNKED + CHUNKED,
    "chunked and identity": CHUNKED + b"Transfer-Encoding: identity\r\n",
    "identity": b"Transfer-Encoding: identity\r\n",
    "gzip": b"Transfer-Encoding: gzip\r\n",
    "empty coding": b"Transfer-Encoding: \r\n",
    "quoted chunked": b'Transfer-Encoding: "chunked"\r\n',
    "chunked with a parameter": b"Transfer-Encoding: chunked;q=1\r\n",
    "vertical tab before chunked": b"Transfer-Encoding: \x0bchunked\r\n",
    "chunked on a second line": b"Transfer-Encoding:\r\n chunked\r\n",
    "space before the colon": b"Transfer-Encoding : chunked\r\n",
    "tab before the colon": b"Transfer-Encoding\t: chunked\r\n",
}

CHUNKS = {
    "no size": b"\r\n",
    "size with a sign": b"+5\r\nabcde\r\n",
    "negative size": b"-5\r\nabcde\r\n",
    "size with 0x": b"0x5\r\nabcde\r\n",
    "size that is no number": b"zz\r\n",
    "size beyond 64 bits": b"10000000000000005\r\nabcde\r\n",
    "space after the size": b"5 \r\nabcde\r\n",
    "size that ends with LF": b"5\nabcde\r\n",
    "extension that ends with LF": b"5;a\nabcde\r\n",
    "extension with a bare CR": b"5;a\rb\r\nabcde\r\n",
    "quoted line end in an extension": b'5;a="\r\n"\r\nabcde\r\n',
    "more than announced": b"5\r\nabcdefg\r\n",
    "less than announced": b"5\r\nabc\r\n0\r\n\r\n",
    "length in a trailer": b"0\r\nContent-Length: 44\r\n\r\n",
    "coding in a trailer": b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
}


@pytest.mark.parametrize("what", MALFORMED)
def test_malformed_request_is_400_and_the_last_on_its_connection(url: str, what: str) -> None:
    refused(exchange(url, MALFORMED[what] + SMUGGLED), 400, "malformed-request")


@pytest.mark.parametrize("what", FRAMINGS)
def test_ambiguous_framing_is_400_and_the_last_on_its_connection(url: str, what: str) -> None:
    refused(exchange(url, head(FRAMINGS[what]) + b"0\r\n\r\n" + SMUGGLED), 400, "malformed-request")


@pytest.mark.parametrize("what", CHUNKS)
def test_malformed_chunk_is_400_and_the_last_on_its_connection(url: str, what: str) -> None:
    refused(exchange(url, head(CHUNKED) + CHUNKS[what] + SMUGGLED), 400, "malformed-request")


@pytest.mark.parametrize("what", FRAMINGS)
def test_request_of_ambiguous_framing_is_not_carried_out(client: Client, running: System, what: str) -> None:
    job_id = client.submit()
    target = f"/v1/jobs/{job_id}".encode()
    said = exchange(running.process_url, head(FRAMINGS[what], target=target, method=b"DELETE") + b"0\r\n\r\n")
    refused(said, 400, "malformed-request")
    assert client.get(job_id).status_code in (200, 202)


CLEAR = {
    "length": (b"Content-Length: 44\r\n", SMUGGLED),
    "chunked": (CHUNKED, b"2c\r\n" + SMUGGLED + b"\r\n0\r\n\r\n"),
    "chunked in upper case": (b"TRANSFER-ENCODING: CHUNKED\r\n", b"2C\r\n" + SMUGGLED + b"\r\n0\r\n\r\n"),
    "chunked behind a tab": (b"Transfer-Encoding:\tchunked \r\n", b"2c\r\n" + SMUGGLED + b"\r\n0\r\n\r\n"),
    "gzip, chunked": (b"Transfer-Encoding: gzip, chunked\r\n", b"2c\r\n" + SMUGGLED + b"\r\n0\r\n\r\n"),
    "size with zeros": (CHUNKED, b"0000000000000000000002c\r\n" + SMUGGLED + b"\r\n0\r\n\r\n"),
    "extension": (CHUNKED, b"2c;a=b\r\n" + SMUGGLED + b"\r\n0;c\r\n\r\n"),
    "trailer": (CHUNKED, b"2c\r\n" + SMUGGLED + b"\r\n0\r\nX: a\r\n\r\n"),
    "an upgrade that is not taken up": (b"Connection: upgrade\r\nUpgrade: h2c\r\n", b""),
    "empty lines": (b"", b"\r\n\r\n"),
}


@pytest.mark.parametrize("what", CLEAR)
def test_body_of_clear_framing_is_never_taken_for_a_request(url: str, what: str) -> None:
    lines, body = CLEAR[what]
    said = exchange(url, head(lines) + body + LAST)
    assert [answer.status for answer in said] == [200, 200]
    assert "ready" in said[1].body.decode()


@pytest.mark.parametrize("what", CLEAR)
def test_body_that_comes_byte_by_byte_is_never_taken_for_a_request(running: System, what: str) -> None:
    lines, body = CLEAR[what]
    with Wire(running.status_url) as wire:
        with contextlib.suppress(ConnectionError):  # An answer before the end of the body ends the connection.
            for byte in head(lines) + body + LAST:
                wire.send(bytes([byte]))
        assert [answer.status for answer in wire.answers()] in ([200], [200, 200])


def test_host_that_the_client_names_is_in_no_answer(url: str) -> None:
    for target in (b"/v1/jobs/", b"/v1", b"/docs/", b"/api/process/", b"//evil.example/.."):
        said = exchange(url, b"GET " + target + b" HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        assert [answer.status for answer in said] in ([404], [405])
        assert "location" not in said[0].headers


def test_nothing_behind_the_last_request_is_answered(url: str) -> None:
    assert [answer.status for answer in exchange(url, LAST + SMUGGLED)] == [200]


def test_pipelined_requests_are_answered_in_their_order(url: str) -> None:
    said = exchange(url, (head() + head(target=b"/nowhere")) * 5 + LAST)
    assert [answer.status for answer in said] == [200, 404] * 5 + [200]


def test_requests_before_a_malformed_one_are_answered_first(url: str) -> None:
    said = exchange(url, head() * 3 + MALFORMED["no colon"] + SMUGGLED)
    assert [answer.status for answer in said] == [200, 200, 200, 400]


def test_requests_before_one_with_a_malformed_body_are_answered_first(url: str) -> None:
    said = exchange(url, head() * 3 + head(CHUNKED) + CHUNKS["no size"] + SMUGGLED)
    assert [answer.status for answer in said] == [200, 200, 200, 400]


def test_too_many_requests_at_once_are_not_kept(url: str) -> None:
    said = exchange(url, head() * 1000)
    assert {answer.status for answer in said[:-1]} == {200}
    assert len(said) < 100
    assert said[-1].status == 400


def test_upload_that_breaks_in_its_body_is_400(running: System) -> None:
    with Wire(running.process_url) as wire:
        wire.send(upload_begun())
        wire.send(b"zz\r\n")
        refused(wire.answers(), 400, "malformed-request")


def announced(size_bytes: int, *lines: bytes) -> bytes:
    """The head of an upload of so many bytes."""
    form = b"Content-Type: multipart/form-data; boundary=b\r\n"
    length = b"Content-Length: %d\r\n" % size_bytes
    return head(form, length, *lines, target=b"/v1/jobs", method=b"POST")


def test_client_that_sends_on_without_reading_still_gets_its_413_and_the_connection_ends(running: System) -> None:
    began_at = time.monotonic()
    with Wire(running.process_url) as wire:
        wire.send(announced(10 * 1024**3))
        sent = wire.flood(b"x" * 65536, limit_s=ENDS_S)
        (said,) = wire.answers()
    assert (said.status, said.slug, said.headers["connection"]) == (413, "upload-too-large", "close")
    assert sent < 100 * 1024 * 1024
    assert time.monotonic() - began_at < ENDS_S


def test_early_answer_is_sent_at_once(running: System) -> None:
    took_s = []
    for _ in range(TRIES):
        with Wire(running.process_url) as wire:
            began_at = time.monotonic()
            wire.send(announced(10 * 1024**3))
            assert wire.answer().status == 413
            took_s.append(time.monotonic() - began_at)
            if len(took_s) == TRIES:
                wire.ends()
    assert min(took_s) < LINGER_S / 2


def test_early_refusal_asks_for_no_body(running: System) -> None:
    took_s = []
    for _ in range(TRIES):
        began_at = time.monotonic()
        with Wire(running.process_url) as wire:
            wire.send(announced(10 * 1024**3, b"Expect: 100-continue\r\n"))
            (said,) = wire.answers()
        assert said.status == 413
        took_s.append(time.monotonic() - began_at)
    assert min(took_s) < LINGER_S / 2


def test_body_that_is_welcome_is_asked_for(running: System) -> None:
    with Wire(running.process_url) as wire:
        wire.send(announced(LIMIT_BYTES, b"Expect: 100-continue\r\n"))
        assert wire.answer().status == 100
        wire.send(b"no boundary")
        assert wire.answer().status == 400


def test_answer_before_a_small_body_leaves_the_connection_open(url: str) -> None:
    with Wire(url) as wire:
        for _ in range(3):
            wire.send(head(b"Content-Length: 5\r\n") + b"abcde")
            said = wire.answer()
            assert said.status == 200
            assert "connection" not in said.headers
