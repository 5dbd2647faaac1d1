"""What the client does, request by request, told from what comes back."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx
import pytest

from claimcheck.client.answers import JobView
from claimcheck.client.errors import (
    NotFound,
    ServerUnreachable,
    Unavailable,
    UploadNotRepeatable,
    WaitTimedOut,
)
from claimcheck.client.exchange import Flow, NoReply, Outcome, Reply, Request
from claimcheck.client.files import Upload
from claimcheck.client.flows import Flows, list_params
from claimcheck.client.retrying import Retry, Retrying
from tests.unit.claimcheck.client.test_answers import JOB, reply
from tests.unit.claimcheck.client.test_files import Pipe

T = TypeVar("T")
ID = JOB["id"]
LOST = NoReply(httpx.ReadError("connection reset"), "http://api")
BUSY = Reply(503, {"retry-after": "4"})


@dataclass
class Stage:
    """Plays the server's part: each outcome takes a second, and resting takes its time."""

    outcomes: Sequence[Outcome]
    asked: list[Request] = field(default_factory=list)
    now_s: float = 0.0

    retried: list[Retrying] = field(default_factory=list)

    def flows(self, retry: Retry | None = None) -> Flows:
        return Flows(retry or Retry(attempts=4, first_s=1.0), lambda: self.now_s, lambda: 1.0, self.retried.append)

    def play(self, flow: Flow[T]) -> T:
        """Run the flow to its end. Fails if it asks for more, or less, than there are outcomes."""
        left = list(self.outcomes)
        try:
            request = next(flow)
            while True:
                self.asked.append(request)
                if request.file:
                    list(request.file.chunks())
                self.now_s += request.after_s + 1.0
                assert left, f"asked once more: {request}"
                request = flow.send(left.pop(0))
        except StopIteration as end:
            assert left == []
            returned: T = end.value
            return returned


def polled(status: str, **headers: str) -> Reply:
    return reply(202 if status in ("queued", "running") else 200, {**JOB, "status": status}, **headers)


def submitted(stage: Stage, file: io.BytesIO | None = None, **how: Any) -> JobView:
    given: dict[str, Any] = {"task": "probe", "options": None, "media_type": None, "key": None, **how}
    return stage.play(stage.flows().submit(Upload(file or io.BytesIO(b"content"), name="talk.mp3"), **given))


def test_every_attempt_of_a_submission_carries_the_same_key() -> None:
    stage = Stage([LOST, BUSY, reply(202, JOB)])
    assert submitted(stage).id == ID
    keys = [request.headers["Idempotency-Key"] for request in stage.asked]
    assert len(set(keys)) == 1
    assert len(keys) == 3
    assert [request.after_s for request in stage.asked] == [0.0, 1.0, 4.0]


def test_each_submission_has_a_key_of_its_own() -> None:
    keys = set()
    for _ in range(3):
        submitted(stage := Stage([reply(202, JOB)]))
        keys.add(stage.asked[0].headers["Idempotency-Key"])
    assert len(keys) == 3


def test_submission_says_what_the_file_is() -> None:
    stage = Stage([reply(202, JOB)])
    submitted(stage, options={"language": "de"}, key="mine", media_type="audio/mpeg")
    request = stage.asked[0]
    assert dict(request.params) == {"task": "probe", "options": '{"language": "de"}'}
    assert dict(request.headers) == {
        "Idempotency-Key": "mine",
        "Content-Type": "audio/mpeg",
        "Content-Length": "7",
        "Content-Disposition": "attachment; filename*=UTF-8''talk.mp3",
    }


@pytest.mark.parametrize(
    "media_type", [None, "application/json", "multipart/form-data; boundary=x", "Application/JSON"]
)
def test_file_whose_type_would_be_taken_for_an_envelope_travels_untyped(media_type: str | None) -> None:
    stage = Stage([reply(202, JOB)])
    submitted(stage, media_type=media_type)
    assert stage.asked[0].headers["Content-Type"] == "application/octet-stream"


def test_stream_without_an_end_announces_no_length() -> None:
    stage = Stage([reply(202, JOB)])
    submitted(stage, Pipe(b"content"))
    assert "Content-Length" not in stage.asked[0].headers


@pytest.mark.parametrize("key", ["", "two words", "k" * 256, "schlüssel", "a\nb"])
def test_key_that_no_header_carries_is_refused_before_anything_is_sent(key: str) -> None:
    with pytest.raises(ValueError, match="1 to 255 visible ASCII characters"):
        submitted(Stage([]), key=key)


def test_stream_that_was_read_is_not_sent_again() -> None:
    with pytest.raises(UploadNotRepeatable, match=r"http://api broke off .*connection reset"):
        submitted(Stage([LOST]), Pipe(b"content"))


def test_stream_that_was_read_leaves_the_servers_refusal_as_it_is() -> None:
    with pytest.raises(Unavailable):
        submitted(Stage([BUSY]), Pipe(b"content"))


def test_server_that_never_answers_is_given_up() -> None:
    with pytest.raises(ServerUnreachable, match=r"the status API at http://api gave no answer .*connection reset"):
        (stage := Stage([LOST] * 4)).play(stage.flows().job(ID))


def test_server_that_stays_busy_is_given_up_with_its_own_words() -> None:
    with pytest.raises(Unavailable, match="Service Unavailable"):
        (stage := Stage([BUSY] * 4)).play(stage.flows().job(ID))


def test_erase_that_finds_nothing_after_a_lost_answer_has_erased() -> None:
    stage = Stage([LOST, Reply(404)])
    stage.play(stage.flows().erase(ID))


def test_erase_that_finds_nothing_at_once_says_so() -> None:
    with pytest.raises(NotFound):
        (stage := Stage([Reply(404)])).play(stage.flows().erase(ID))


def test_wait_asks_the_server_to_wait_as_long_as_it_would_rest() -> None:
    stage = Stage(
        [
            polled("queued", **{"retry-after": "1", "etag": 'W/"1"'}),
            polled("running", **{"retry-after": "3", "etag": 'W/"2"', "preference-applied": "wait=1"}),
            Reply(304, {"retry-after": "5", "etag": 'W/"2"', "preference-applied": "wait=3"}),
            polled("succeeded"),
        ]
    )
    seen: list[JobView] = []
    ended = stage.play(stage.flows().wait(ID, timeout_s=None, on_progress=seen.append))
    assert ended.status == "succeeded"
    assert [job.status for job in seen] == ["queued", "running", "succeeded"]
    assert [request.headers.get("Prefer") for request in stage.asked] == [None, "wait=1", "wait=3", "wait=5"]
    assert [request.headers.get("If-None-Match") for request in stage.asked] == [None, 'W/"1"', 'W/"2"', 'W/"2"']
    assert [request.after_s for request in stage.asked] == [0.0, 1.0, 0.0, 0.0]
    assert all(request.answer_s > 45 for request in stage.asked[1:])


def test_wait_rests_where_the_server_does_not_wait() -> None:
    stage = Stage(
        [polled("queued", **{"retry-after": "2"}), polled("running", **{"retry-after": "30"}), polled("failed")]
    )
    assert stage.play(stage.flows().wait(ID, timeout_s=None, on_progress=None)).status == "failed"
    assert [request.after_s for request in stage.asked] == [0.0, 2.0, 30.0]


def test_wait_times_out_with_what_it_saw_last() -> None:
    stage = Stage([polled("queued", **{"retry-after": "2"}), polled("running", **{"retry-after": "30"})])
    with pytest.raises(WaitTimedOut, match="is still running after 4 s") as late:
        stage.play(stage.flows().wait(ID, timeout_s=4, on_progress=None))
    assert late.value.job.status == "running"


def test_wait_without_patience_looks_once() -> None:
    stage = Stage([polled("running")])
    with pytest.raises(WaitTimedOut):
        stage.play(stage.flows().wait(ID, timeout_s=0, on_progress=None))


def test_wait_gives_up_on_an_unreachable_server_when_its_time_is_over() -> None:
    stage = Stage([polled("running"), LOST])
    with pytest.raises(ServerUnreachable):
        stage.play(stage.flows().wait(ID, timeout_s=3, on_progress=None))


def test_wait_sits_an_outage_out_once_it_has_seen_the_job() -> None:
    stage = Stage([polled("running"), *(LOST, BUSY) * 6, polled("succeeded")])
    assert stage.play(stage.flows().wait(ID, timeout_s=None, on_progress=None)).status == "succeeded"
    assert len(stage.retried) == 12


def test_wait_that_has_not_seen_its_job_is_as_patient_as_any_call() -> None:
    with pytest.raises(ServerUnreachable):
        (stage := Stage([LOST] * 4)).play(stage.flows().wait(ID, timeout_s=None, on_progress=None))


def test_wait_gives_up_an_outage_that_lasts() -> None:
    # Rests of 1, 2, 4, 8 and then 10 s, and a second for each attempt: the next would end after 60.
    stage = Stage([polled("running"), *[LOST] * 8])
    flows = stage.flows(Retry(attempts=2, first_s=1.0, longest_s=10.0, outage_s=60.0))
    with pytest.raises(ServerUnreachable):
        stage.play(flows.wait(ID, timeout_s=None, on_progress=None))


def test_outage_is_sat_out_anew_after_each_answer() -> None:
    outage = [LOST] * 8
    stage = Stage([polled("running"), *outage[:7], polled("running"), *outage])
    flows = stage.flows(Retry(attempts=2, first_s=1.0, longest_s=10.0, outage_s=60.0))
    with pytest.raises(ServerUnreachable):
        stage.play(flows.wait(ID, timeout_s=None, on_progress=None))


def test_call_gives_up_by_time_and_not_after_a_few_attempts() -> None:
    # Rests of 0.5, 1, 2, 4, 8, 16, 20, 20 and 20 s, and a second for each attempt after the first.
    stage = Stage([LOST] * 10)
    with pytest.raises(ServerUnreachable):
        stage.play(stage.flows(Retry()).job(ID))
    assert 95.0 < stage.now_s - 1.0 <= 120.0


def test_each_rest_is_told_with_its_reason() -> None:
    busy = reply(503, {"type": "urn:claimcheck:problem:busy", "title": "Busy", "detail": "come back"})
    stage = Stage([LOST, busy, reply(202, JOB)])
    stage.play(stage.flows().job(ID))
    assert stage.retried == [
        Retrying("the status API at http://api gave no answer (ReadError: connection reset)", 1.0),
        Retrying("Busy: come back", 2.0),
    ]


def test_failure_that_stands_is_raised_and_not_told() -> None:
    with pytest.raises(NotFound):
        (stage := Stage([Reply(404)])).play(stage.flows().job(ID))
    assert stage.retried == []


@pytest.mark.parametrize("job_id", ["", ".", "..", "a/b", "a?b", "a b", "a\n", "../jobs", "%2e"])
def test_id_that_would_lead_elsewhere_is_never_sent(job_id: str) -> None:
    stage = Stage([])
    for flow in (stage.flows().job(job_id), stage.flows().erase(job_id), stage.flows().result(job_id, "json")):
        with pytest.raises(ValueError, match=r"the job id is .* a UUID is expected"):
            stage.play(flow)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((None, None, None), {"limit": "100"}),
        (("failed", "probe", 7), {"status": "failed", "task": "probe", "limit": "7"}),
        ((None, None, 1000), {"limit": "100"}),
    ],
)
def test_first_page_of_a_list(given: tuple[str | None, str | None, int | None], expected: dict[str, str]) -> None:
    assert list_params(*given) == expected


def test_options_are_sent_as_json() -> None:
    stage = Stage([reply(202, JOB)])
    submitted(stage, options={"tags": ["ä", 1, None]})
    assert json.loads(stage.asked[0].params["options"]) == {"tags": ["ä", 1, None]}


def handed_in(stage: Stage, given: dict[str, Any], *, key: str | None = None) -> JobView:
    return stage.play(stage.flows().submit_input(given, task="complete", options={"model": "m"}, key=key))


def test_input_that_is_no_file_travels_as_json_under_one_key() -> None:
    stage = Stage([LOST, BUSY, reply(202, JOB)])
    handed_in(stage, {"text": "Grüße"})
    assert len({request.headers["Idempotency-Key"] for request in stage.asked}) == 1
    assert {request.headers["Content-Type"] for request in stage.asked} == {"application/json"}
    (sent,) = {request.body for request in stage.asked}
    assert sent is not None
    assert json.loads(sent) == {"task": "complete", "input": {"text": "Grüße"}, "options": {"model": "m"}}


def test_key_of_an_input_is_checked_before_anything_is_sent() -> None:
    with pytest.raises(ValueError, match="1 to 255 visible ASCII characters"):
        handed_in(Stage([]), {"text": "a"}, key="two words")


def test_half_a_character_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(ValueError, match="surrogates not allowed"):
        handed_in(Stage([]), {"text": "\ud800"})


def test_models_are_read_tolerantly() -> None:
    model = {"id": "m", "tasks": ["complete"], "capabilities": ["chat"], "colour": "red"}
    task = {"name": "complete", "inputs": ["text"], "media_types": [], "formats": {}, "options": {}, "models": ["m"]}
    stage = Stage([reply(200, {"object": "list", "data": [model], "tasks": [task], "more": 1})])
    found = stage.play(stage.flows().models())
    assert (found.data[0].id, found.data[0].demonstration, found.tasks[0].models) == ("m", False, ["m"])
