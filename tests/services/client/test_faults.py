"""Servers that fail, networks that break, answers that get lost: with both clients."""

from __future__ import annotations

import io
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from claimcheck.client import (
    FileRefused,
    NotFound,
    Refused,
    Retry,
    Retrying,
    ServerUnreachable,
    Unavailable,
    UnexpectedAnswer,
    UploadNotRepeatable,
    UploadProgress,
)
from tests.services.client.conftest import ATTEMPTS, KEY, MakeClient
from tests.services.client.scripted import Answer, nobody, refusal, scripted
from tests.stack.ports import free_port
from tests.stack.proxy import Proxy
from tests.stack.stores import Stores
from tests.stack.system import System
from tests.unit.claimcheck.client.test_answers import JOB
from tests.unit.claimcheck.client.test_files import Pipe

BUSY = refusal(503, "Busy", "come back", {"Retry-After": "0"})
ACCEPTED = Answer(202, JOB)
LARGE_BYTES = 64 * 1024 * 1024


@pytest.fixture
def proxy(running: System) -> Iterator[Proxy]:
    """A network that breaks, in front of the process API."""
    with Proxy(free_port(), to=urlsplit(running.process_url).port or 0) as proxy:
        yield proxy


def job_ids(stores: Stores) -> set[str]:
    return {item["job_id"] for item in stores.items("job")}


def test_busy_server_is_asked_again_with_the_same_key_and_the_whole_file(make_client: MakeClient) -> None:
    with scripted(BUSY, Answer(429, {}, {"Retry-After": "0"}), ACCEPTED) as server:
        assert make_client(server.url, server.url).submit(b"content").id == JOB["id"]
    assert len({asked.header("idempotency-key") for asked in server.asked}) == 1
    assert [asked.body for asked in server.asked] == [b"content"] * 3


@pytest.mark.parametrize("make_client", ["Client"], indirect=True)  # The server has it wait; what it does is both's.
def test_failing_queue_makes_one_job_in_the_end(make_client: MakeClient, running: System, stores: Stores) -> None:
    patient = make_client(running.process_url, running.status_url, key=KEY, retry=Retry(first_s=0.05))
    known = job_ids(stores)
    with stores.queue_fault(kind="send", action="fail", error="amqp:internal-error", times=1):
        job = patient.submit(b"x", task="probe")
    assert job_ids(stores) - known == {job.id}
    assert patient.wait(job.id, timeout_s=60).status == "succeeded"


@pytest.mark.parametrize("after_bytes", [None, 200_000], ids=["its answer is lost", "in the middle"])
def test_upload_that_breaks_makes_one_job_all_the_same(
    make_client: MakeClient, running: System, stores: Stores, proxy: Proxy, after_bytes: int | None
) -> None:
    client = make_client(proxy.url, running.status_url, key=KEY)
    known, seen = job_ids(stores), list[UploadProgress]()
    proxy.break_next_posts(1, after_bytes=after_bytes)
    job = client.submit(b"x" * 500_000, task="probe", on_progress=seen.append)
    assert job_ids(stores) - known == {job.id}
    assert [progress.sent_bytes for progress in seen].count(0) == 2
    assert client.wait(job.id, timeout_s=60).status == "succeeded"


def test_lost_answer_of_a_cancel_is_asked_for_again(make_client: MakeClient, running: System, proxy: Proxy) -> None:
    client = make_client(proxy.url, running.status_url, key=KEY)
    job = client.submit(b"x", task="probe", options={"seconds": 60})
    proxy.break_next_posts(1, after_bytes=None)
    assert client.cancel(job.id).status == "cancelled"


def test_stream_that_breaks_in_the_middle_says_that_it_cannot_be_sent_again(
    make_client: MakeClient, running: System, stores: Stores, proxy: Proxy
) -> None:
    client, known = make_client(proxy.url, running.status_url, key=KEY), job_ids(stores)
    proxy.break_next_posts(1, after_bytes=200_000)
    with pytest.raises(UploadNotRepeatable, match=r"broke off .* cannot be read again"):
        client.submit(Pipe(b"x" * 500_000), task="probe")
    assert job_ids(stores) == known


@pytest.mark.parametrize("announced", [True, False], ids=["with a length", "in chunks"])
def test_refusal_stops_the_upload_and_is_what_is_raised(
    make_client: MakeClient, running: System, announced: bool
) -> None:
    client = make_client(running.process_url, running.status_url, key=KEY)
    file = (io.BytesIO if announced else Pipe)(b"x" * LARGE_BYTES)
    seen: list[UploadProgress] = []
    with pytest.raises(FileRefused, match="the limit is 2 MB"):
        client.submit(file, task="probe", on_progress=seen.append)
    assert seen[-1].sent_bytes < LARGE_BYTES / 2


def test_answer_before_the_end_of_the_file_ends_the_sending(make_client: MakeClient) -> None:
    with (
        scripted(refusal(413, "Too large", "by far", early=True)) as server,
        pytest.raises(FileRefused, match="Too large: by far"),
    ):
        make_client(server.url, server.url).submit(b"x" * LARGE_BYTES)
    assert len(server.asked[0].body) < LARGE_BYTES / 2


def test_nobody_at_the_address(make_client: MakeClient) -> None:
    with nobody() as url:
        client = make_client(url, url)
        with pytest.raises(ServerUnreachable, match=f"the process API at {url} gave no answer"):
            client.submit(b"x")
        with pytest.raises(ServerUnreachable, match=f"the status API at {url} gave no answer"):
            client.job(JOB["id"])


def test_server_that_stays_busy_is_given_up(make_client: MakeClient) -> None:
    with scripted(*[BUSY] * ATTEMPTS) as server, pytest.raises(Unavailable, match="Busy: come back"):
        make_client(server.url, server.url).job(JOB["id"])
    assert len(server.asked) == ATTEMPTS


def test_server_that_hangs_up_is_asked_again(make_client: MakeClient) -> None:
    with scripted() as server, pytest.raises(ServerUnreachable):
        make_client(server.url, server.url).submit(b"x")
    assert len(server.asked) == ATTEMPTS


def test_key_goes_nowhere_but_to_the_two_addresses(make_client: MakeClient) -> None:
    with scripted(ACCEPTED, ACCEPTED, ACCEPTED) as elsewhere:
        page = {"v": 1, "jobs": [], "next_url": f"{elsewhere.url}/v1/jobs?after=mark"}
        moved = Answer(307, {}, {"Location": f"{elsewhere.url}/v1/jobs"})
        with scripted(moved, moved, Answer(200, page), Answer(200, {"v": 1, "jobs": []})) as server:
            client = make_client(server.url, server.url, key="secret-key")
            with pytest.raises(UnexpectedAnswer, match=f"answered 307 and points to {elsewhere.url}"):
                client.submit(b"x")
            with pytest.raises(UnexpectedAnswer):
                client.job(JOB["id"])
            assert list(client.jobs()) == []
    assert elsewhere.asked == []
    assert {asked.header("authorization") for asked in server.asked} == {"Bearer secret-key"}
    assert server.asked[-1].first_line == "GET /v1/jobs?after=mark"


def test_something_else_at_the_address(make_client: MakeClient) -> None:
    welcome = Answer(200, b"<html>Welcome</html>", {"Content-Type": "text/html"})
    with scripted(welcome) as server, pytest.raises(UnexpectedAnswer, match="the address of a Claimcheck API"):
        make_client(server.url, server.url).job(JOB["id"])


def test_refusal_of_something_else_at_the_address(make_client: MakeClient) -> None:
    with (
        scripted(Answer(404, {"detail": "Not Found"})) as server,
        pytest.raises(NotFound, match=r"Not Found: Not Found; is the address right\?"),
    ):
        make_client(server.url, server.url).submit(b"x")


def test_each_retry_is_told_before_its_rest(make_client: MakeClient) -> None:
    told: list[Retrying] = []
    with scripted(BUSY, BUSY, ACCEPTED) as server:
        make_client(server.url, server.url, on_retry=told.append).submit(b"x")
    assert [again.reason for again in told] == ["Busy: come back"] * 2


def test_wait_sits_out_an_outage_once_it_has_seen_the_job(make_client: MakeClient) -> None:
    running = Answer(202, {**JOB, "status": "running"}, {"Retry-After": "0"})
    outage = [BUSY] * (2 * ATTEMPTS)
    with scripted(running, *outage, Answer(200, {**JOB, "status": "succeeded"})) as server:
        assert make_client(server.url, server.url).wait(JOB["id"]).status == "succeeded"


def test_refusal_is_not_repeated(make_client: MakeClient) -> None:
    with scripted(refusal(400, "No", "never")) as server, pytest.raises(Refused, match="No: never"):
        make_client(server.url, server.url).submit(b"x")
    assert len(server.asked) == 1


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://host", "http://", "http://user:pw@host", "http://h?x=1"])
def test_address_that_is_none_is_refused(make_client: MakeClient, url: str) -> None:
    with pytest.raises(ValueError, match=r"http://HOST:PORT or https://HOST is expected"):
        make_client(url, "http://localhost:8001")


def test_key_that_no_header_carries_is_refused_and_not_shown(make_client: MakeClient) -> None:
    with pytest.raises(ValueError, match="visible ASCII is expected") as refused:
        make_client(key="schlüssel-x")
    assert "schl" not in str(refused.value)
