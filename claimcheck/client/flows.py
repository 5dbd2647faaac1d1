"""What a call of the client does, request by request: decided once, for `Client` and `AsyncClient`. No I/O.

A flow is a generator: it gives requests, takes the outcome of each, and returns what the call returns.
"""

from __future__ import annotations

import itertools
import json
import math
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

from claimcheck.client import answers
from claimcheck.client.answers import JobView, ModelList, Page
from claimcheck.client.errors import ClientError, ServerUnreachable, UploadNotRepeatable, WaitTimedOut
from claimcheck.client.exchange import ANSWER_S, Flow, Outcome, Reply, Request
from claimcheck.client.files import Upload
from claimcheck.client.retrying import OnRetry, Retry, Retrying, retry_after_s

UNTYPED: Final = "application/octet-stream"
# The API reads a form or a description of the job in these, so a file of such a type travels untyped.
ENVELOPES: Final = frozenset({"application/json", "multipart/form-data"})

PAGE_JOBS: Final = 100
LONGEST_WAIT_S: Final = 60
LEAST_POLL_S: Final = 0.5  # Between two polls, however often the job changes.

_JOB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_KEY = re.compile(r"[\x21-\x7e]{1,255}")

OnJob = Callable[[JobView], None]
T = TypeVar("T")


@dataclass(frozen=True)
class Flows:
    """The calls, with the patience, the clock (seconds, monotonic) and the randomness (0 to 1) that they decide by."""

    retry: Retry
    clock: Callable[[], float]
    share: Callable[[], float]
    on_retry: OnRetry | None = None

    def submit(
        self, file: Upload, *, task: str, options: Mapping[str, Any] | None, media_type: str | None, key: str | None
    ) -> Flow[JobView]:
        """Hand in a file. Every attempt carries one idempotency key, so that all of them make one job."""
        request = Request(
            "process",
            "POST",
            "/v1/jobs",
            params={"task": task, **({"options": json.dumps(dict(options))} if options else {})},
            headers={**_key_header(key), **_file_headers(file, media_type)},
            file=file,
        )
        return answers.job((yield from self.ask(request)))

    def submit_input(
        self, given: Mapping[str, Any], *, task: str, options: Mapping[str, Any] | None, key: str | None
    ) -> Flow[JobView]:
        """Hand in what is no file: `{"text": ...}`, `{"messages": ...}` or `{"job_id": ...}`. Keys as for a file."""
        said = {"task": task, "input": dict(given), "options": dict(options or {})}
        request = Request(
            "process",
            "POST",
            "/v1/jobs",
            headers={"Content-Type": "application/json", **_key_header(key)},
            body=json.dumps(said, ensure_ascii=False).encode(),
        )
        return answers.job((yield from self.ask(request)))

    def models(self) -> Flow[ModelList]:
        """What the installation offers."""
        return answers.view(ModelList, (yield from self.ask(Request("status", "GET", "/v1/models"))))

    def job(self, job_id: str) -> Flow[JobView]:
        """The job as it is now."""
        return answers.job((yield from self.ask(Request("status", "GET", _path(job_id)))))

    def page(self, params: Mapping[str, str]) -> Flow[Page]:
        """A page of jobs."""
        return answers.page((yield from self.ask(Request("status", "GET", "/v1/jobs", params=params))))

    def wait(self, job_id: str, *, timeout_s: float | None, on_progress: OnJob | None) -> Flow[JobView]:
        """Poll until the job has ended.

        Where the API would have us rest until the next poll, it is asked to wait so long itself (`Prefer: wait`):
        as many requests, but the end is seen at once. A server that does not wait gets its rest.
        """
        ends_at = math.inf if timeout_s is None else self.clock() + timeout_s
        request, seen, retry = Request("status", "GET", _path(job_id)), None, self.retry
        while True:
            asked_at = self.clock() + request.after_s
            reply = yield from self.ask(request, retry=retry, ends_at=ends_at)
            if seen is None or reply.status != 304:
                seen = answers.job(reply)
                if on_progress:
                    on_progress(seen)
            if seen.ended:
                return seen
            if (left_s := ends_at - self.clock()) <= 0:
                raise WaitTimedOut(seen, timeout_s or 0.0)
            # The address is right and the job goes on: from here on an outage is worth sitting out.
            retry = self.retry.in_outage()
            request = next_poll(request, reply, took_s=self.clock() - asked_at, left_s=left_s)

    def result(self, job_id: str, form: str, to: Path | None = None) -> Flow[bytes]:
        """The result in a format; empty if it went `to` a file."""
        request = Request("status", "GET", f"{_path(job_id)}/result", params={"format": form}, to=to)
        return answers.result((yield from self.ask(request)))

    def cancel(self, job_id: str) -> Flow[JobView]:
        """Stop the job."""
        return answers.job((yield from self.ask(Request("process", "POST", f"{_path(job_id)}/cancel"))))

    def erase(self, job_id: str) -> Flow[None]:
        """Erase the job."""
        answers.refuse((yield from self.ask(Request("process", "DELETE", _path(job_id)))))

    def ask(self, request: Request, *, retry: Retry | None = None, ends_at: float = math.inf) -> Flow[Reply]:
        """Send a request until its outcome stands. Raises ServerUnreachable if there was no answer."""
        retry, failing_since = retry or self.retry, None
        for attempt in itertools.count(1):
            outcome = yield request
            now = self.clock()
            failing_since = now if failing_since is None else failing_since
            rest_s = retry.rest_s(outcome, attempt=attempt, failing_s=now - failing_since, share=self.share())
            if rest_s is None or now + rest_s > ends_at or (request.file and not request.file.can_be_sent):
                return _standing(outcome, request, attempt=attempt)
            if self.on_retry:
                self.on_retry(Retrying(str(_error(outcome, request)), rest_s))
            request = replace(request, after_s=rest_s)
        raise AssertionError("a loop without an end has ended")


def counted(flow: Flow[T]) -> Flow[tuple[T, int]]:
    """What the flow returns, and how many requests it took: one at least."""
    request, requests = next(flow), 1
    while True:
        try:
            request = flow.send((yield request))
        except StopIteration as end:
            return end.value, requests
        requests += 1


def list_params(status: str | None, task: str | None, limit: int | None) -> dict[str, str]:
    """The query of the first page."""
    wanted = {"status": status, "task": task}
    jobs = PAGE_JOBS if limit is None else min(limit, PAGE_JOBS)
    return {**{name: value for name, value in wanted.items() if value is not None}, "limit": str(jobs)}


def next_poll(request: Request, reply: Reply, *, took_s: float, left_s: float) -> Request:
    """The poll that follows one that took `took_s` seconds, with `left_s` seconds of patience left."""
    rest_s = retry_after_s(reply.headers) or 1.0
    wait_s = math.floor(min(rest_s, left_s, LONGEST_WAIT_S))
    waited = reply.headers.get("preference-applied", "").strip().lower().startswith("wait")
    headers = {"Prefer": f"wait={wait_s}"} if wait_s else {}
    if etag := reply.headers.get("etag"):
        headers["If-None-Match"] = etag
    return replace(
        request,
        headers=headers,
        answer_s=ANSWER_S + wait_s,
        after_s=min(left_s, max(0.0, LEAST_POLL_S - took_s) if waited else rest_s),
    )


def _standing(outcome: Outcome, request: Request, *, attempt: int) -> Reply:
    """The outcome as it is handed on. Raises ServerUnreachable if it is none."""
    if isinstance(outcome, Reply):
        # An erase that finds nothing, after one that got no answer: that one has done it.
        erased = request.method == "DELETE" and outcome.status == 404 and attempt > 1
        return Reply(204) if erased else outcome
    raise _error(outcome, request) from outcome.error


def _error(outcome: Outcome, request: Request) -> ClientError:
    """The error that a failure is."""
    if isinstance(outcome, Reply):
        return answers.problem_error(outcome)
    said = f"{type(outcome.error).__name__}: {outcome.error}" if str(outcome.error) else type(outcome.error).__name__
    if request.file and not request.file.can_be_sent:
        return UploadNotRepeatable(
            f"the upload to {outcome.url} broke off ({said}), and what was read of the file cannot be read again"
        )
    return ServerUnreachable(f"the {request.api} API at {outcome.url} gave no answer ({said})")


def _path(job_id: str) -> str:
    if not _JOB_ID.fullmatch(job_id):
        raise ValueError(f"the job id is {job_id[:60]!r}; a UUID is expected")
    return f"/v1/jobs/{job_id}"


def _key_header(key: str | None) -> dict[str, str]:
    """The idempotency key, without one a random one."""
    key = secrets.token_hex(16) if key is None else key
    if not _KEY.fullmatch(key):
        raise ValueError(f"the idempotency key is {key[:60]!r}; 1 to 255 visible ASCII characters are expected")
    return {"Idempotency-Key": key}


def _file_headers(file: Upload, media_type: str | None) -> dict[str, str]:
    kind = (media_type or "").partition(";")[0].strip().lower()
    headers = {"Content-Type": UNTYPED if kind in ENVELOPES else media_type or UNTYPED}
    if file.size_bytes is not None:
        headers["Content-Length"] = str(file.size_bytes)
    if file.name:
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(file.name, safe='')}"
    return headers
