"""SIGTERM: what is under way ends well, what waits is answered at once, and who still asks is told."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.conftest import RunSystem
from tests.stack.client import Client
from tests.stack.system import Running, System
from tests.stack.wire import Said, Wire

READY = b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n"
FORM = (
    b'--b\r\nContent-Disposition: form-data; name="task"\r\n\r\nprobe\r\n'
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\nab\r\n'
    b"--b--\r\n"
)
STOP_S = 8  # web.stop_s
ENDS_S = 30.0  # Longer than a server that stops takes.
PATIENT_S = 60  # Neither limit ends a connection before a test gives up waiting for its end.
PATIENT = {"CLAIMCHECK_WEB__STOP_S": str(PATIENT_S), "CLAIMCHECK_WEB__HEADER_S": str(PATIENT_S)}
UPLOAD = (
    b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: %d\r\n\r\n"
)


@pytest.fixture(scope="module")
def system(run_system: RunSystem) -> Iterator[System]:
    """Both APIs, and nobody who would end a job. A test may stop one of them, and starts it again."""
    with run_system(workers=0, env=PATIENT) as system:
        yield system


@pytest.fixture
def hasty(run_system: RunSystem) -> Iterator[System]:
    """The same, with little time to stop."""
    with run_system(workers=0, env={"CLAIMCHECK_WEB__STOP_S": str(STOP_S)}) as system:
        yield system


def terminate(system: System, name: str) -> Running:
    """Send SIGTERM; the process, which is about to end."""
    process = system.programs[name].process
    assert process is not None
    process.send_signal(signal.SIGTERM)
    return process


def ask(wire: Wire) -> Said:
    """What an open connection says about readiness."""
    wire.send(READY)
    return wire.answer()


def test_request_under_way_ends_well_and_readiness_says_draining_at_once(system: System) -> None:
    with Wire(system.process_url) as upload, Wire(system.process_url) as kept:
        upload.send(UPLOAD % len(FORM) + FORM[:100])
        assert ask(kept).status == 200
        # Each of the questions is there when the signal comes: the first may be answered before it, the others are not.
        with system.frozen("process-api"):
            process = terminate(system, "process-api")
            kept.send(READY * 10)
        *_, draining = kept.answers()
        assert draining.status == 503
        assert b'"draining"' in draining.body
        assert process.poll() is None
        upload.send(FORM[100:])
        accepted = upload.answer()
        assert (accepted.status, accepted.headers["connection"]) == (202, "close")
        assert process.wait(timeout=ENDS_S) == 0
    system.restart("process-api")


def test_request_that_waits_is_answered_at_once(system: System) -> None:
    with Client(system.process_url, system.status_url) as client:
        job_id = client.submit()
    with Wire(system.status_url) as waiting, Wire(system.status_url) as kept:
        waiting.send(f"GET /v1/jobs/{job_id} HTTP/1.1\r\nHost: a\r\nPrefer: wait=60\r\n\r\n".encode())
        assert ask(kept).status == 200
        process = terminate(system, "status-api")
        assert waiting.answer().status == 202
        assert process.wait(timeout=ENDS_S) == 0
    system.restart("status-api")


def test_idle_connections_end_and_new_ones_are_refused(system: System) -> None:
    with Wire(system.status_url) as used, Wire(system.status_url) as silent:
        assert ask(used).status == 200
        process = terminate(system, "status-api")
        used.ends()
        silent.ends()
        assert process.wait(timeout=ENDS_S) == 0
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{system.status_url}/readyz")
    system.restart("status-api")


@pytest.mark.parametrize("piece", [b"x", b""], ids=["it trickles", "it stands still"])
def test_upload_that_outlasts_the_stop_is_told_so(hasty: System, piece: bytes) -> None:
    with Wire(hasty.process_url) as upload, Wire(hasty.process_url) as kept:
        upload.send(UPLOAD % 1_000_000 + FORM[:-10])
        assert ask(kept).status == 200
        process = terminate(hasty, "process-api")
        answer = trickle(upload, piece)
        assert (answer.status, answer.slug, answer.headers["connection"]) == (503, "server-stopping", "close")
        assert int(answer.headers["retry-after"]) >= 1
        upload.ends()
        assert process.wait(timeout=ENDS_S) == 0
    assert "Traceback" not in hasty.logs("process-api")
    assert "upload.stopped" in hasty.logs("process-api")


def trickle(wire: Wire, piece: bytes) -> Said:
    """Write a little every tenth of a second until there is an answer."""
    wire.socket.settimeout(0.1)
    ends_at = time.monotonic() + 2 * STOP_S
    while time.monotonic() < ends_at:
        with contextlib.suppress(TimeoutError):
            said = wire.answer()
            wire.socket.settimeout(STOP_S)
            return said
        wire.send(piece)
    raise AssertionError(f"no answer after {2 * STOP_S} s")
