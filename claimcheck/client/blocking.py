"""`Client`: the blocking client. It carries out what `flows` decide."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, overload

import httpx

from claimcheck.client import answers
from claimcheck.client.addresses import SHARED, UNSHARED, httpx_arguments, sent_as
from claimcheck.client.answers import JobView, ModelList
from claimcheck.client.early import EarlyAnswer
from claimcheck.client.exchange import Flow, NoReply, Outcome, Reply, Request
from claimcheck.client.files import File, OnUpload, Upload, opened, saved
from claimcheck.client.flows import Flows, OnJob, list_params
from claimcheck.client.operating import Operator
from claimcheck.client.operator_flows import OperatorFlows
from claimcheck.client.retrying import OnRetry, Retry

T = TypeVar("T")


class Client:
    """A client of both APIs. Threads may share one. Every call repeats by itself what may be repeated (`Retry`).

    Every call raises ProblemError if the API says no, ServerUnreachable if it gives no answer, and UnexpectedAnswer if
    it is no Claimcheck API.

        with Client("http://localhost:8000", "http://localhost:8001") as client:
            job = client.wait(client.submit(Path("talk.mp3")).id)
            print(client.result(job.id, "txt"))
    """

    def __init__(
        self,
        process_url: str = "http://localhost:8000",
        status_url: str = "http://localhost:8001",
        *,
        key: str | None = None,
        retry: Retry | None = None,
        on_retry: OnRetry | None = None,
    ) -> None:
        """`key`: the API key, where the installation asks for one; it goes to these two addresses and nowhere else.
        `on_retry` is called before each rest after which a request is sent again.

        Raises ValueError for an address or a key that cannot be one.
        """
        self._flows = Flows(retry or Retry(), time.monotonic, random.random, on_retry)
        self._apis = {
            "process": httpx.Client(**httpx_arguments(process_url, key), limits=UNSHARED),
            "status": httpx.Client(**httpx_arguments(status_url, key), limits=SHARED),
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        for api in self._apis.values():
            api.close()

    def submit(
        self,
        file: File,
        *,
        task: str = "transcribe",
        options: Mapping[str, Any] | None = None,
        name: str | None = None,
        media_type: str | None = None,
        idempotency_key: str | None = None,
        on_progress: OnUpload | None = None,
    ) -> JobView:
        """Hand in a file, streamed; the job as it was accepted.

        An open file is sent from where it stands, a stream without an end in chunks. `name`: shown in lists and given
        to downloads; default the file's own. `media_type`: default by name and content, which the API looks at.
        `idempotency_key`: the same key is the same job, however often it is submitted; default random for each call,
        so that repeated attempts of one call never make two jobs. `on_progress` is called after each 256 KiB.

        Raises OSError if the file cannot be read, FileChanged if it shrinks meanwhile, UploadNotRepeatable if the
        connection breaks in the middle of a stream that cannot be rewound.
        """
        with opened(file, name=name, on_progress=on_progress) as upload:
            flow = self._flows.submit(upload, task=task, options=options, media_type=media_type, key=idempotency_key)
            return self._run(flow)

    def submit_text(
        self,
        text: str,
        *,
        task: str = "complete",
        options: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> JobView:
        """Hand in a text; the job as it was accepted. `idempotency_key` as for `submit`.

        A text of more than a megabyte is refused: as a file it is taken, `submit(text.encode(), ...)`.
        """
        flow = self._flows.submit_input({"text": text}, task=task, options=options, key=idempotency_key)
        return self._run(flow)

    def submit_chat(
        self,
        messages: Sequence[Mapping[str, str]],
        *,
        task: str = "complete",
        options: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> JobView:
        """Hand in a chat, such as `[{"role": "user", "content": "Hello!"}]`; the job as it was accepted.

        Roles are system, user and assistant, and the user has the last word. `idempotency_key` as for `submit`.
        """
        flow = self._flows.submit_input(
            {"messages": [*map(dict, messages)]}, task=task, options=options, key=idempotency_key
        )
        return self._run(flow)

    def submit_text_of(
        self,
        job_id: str,
        *,
        task: str = "summarize",
        options: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> JobView:
        """Hand in the text that an earlier job has found, for example a transcript; the job as it was accepted.

        The text is copied: the earlier job may be erased at once. `idempotency_key` as for `submit`.
        Raises NotFound if there is no such job, Conflict unless it has succeeded, Refused if its result is no text.
        """
        flow = self._flows.submit_input({"job_id": job_id}, task=task, options=options, key=idempotency_key)
        return self._run(flow)

    def models(self) -> ModelList:
        """The tasks of the installation, and the models that `options` can name."""
        return self._run(self._flows.models())

    def job(self, job_id: str) -> JobView:
        """The job as it is now, with its result if it has succeeded. Raises NotFound."""
        return self._run(self._flows.job(job_id))

    def jobs(
        self, *, status: str | None = None, task: str | None = None, limit: int | None = None
    ) -> Iterator[JobView]:
        """The jobs of this key, newest first and without results; a page is fetched when it is reached.

        `limit`: at most so many; None: all.
        """
        params: Mapping[str, str] | None = list_params(status, task, limit)
        left = limit
        while params is not None and left != 0:
            page = self._run(self._flows.page(params))
            shown = page.jobs[:left]
            yield from shown
            params, left = page.next_params, None if left is None else left - len(shown)

    def wait(self, job_id: str, *, timeout_s: float | None = None, on_progress: OnJob | None = None) -> JobView:
        """Wait until the job has ended, and return it, also if it has failed or been cancelled.

        `timeout_s`: None waits as long as it takes; every job ends at its deadline. `on_progress` is called with each
        state seen, the last one included. Raises WaitTimedOut, NotFound.
        """
        return self._run(self._flows.wait(job_id, timeout_s=timeout_s, on_progress=on_progress))

    @overload
    def result(self, job_id: str, format: Literal["json"] = "json") -> dict[str, Any]: ...

    @overload
    def result(self, job_id: str, format: Literal["txt", "srt", "vtt"]) -> str: ...

    @overload
    def result(self, job_id: str, format: str) -> dict[str, Any] | str: ...

    def result(self, job_id: str, format: str = "json") -> dict[str, Any] | str:
        """The result of a job that has succeeded: a dict as `json`, else text.

        Raises JobNotEnded, JobFailed, JobHasNoResult, NotFound, and Refused for a format that the task has not.
        """
        body = self._run(self._flows.result(job_id, format))
        return answers.value(body) if format == "json" else body.decode()

    def download(self, job_id: str, format: str, to: Path) -> Path:
        """Save the result to a file, which appears once it is whole; its path. Raises as `result`, and OSError."""
        self._run(self._flows.result(job_id, format, to))
        return to

    def cancel(self, job_id: str) -> JobView:
        """Stop the job; again is no error. Raises Conflict if it has succeeded or failed, NotFound."""
        return self._run(self._flows.cancel(job_id))

    def erase(self, job_id: str) -> None:
        """Cancel the job and erase it: upload, parts, results and record. Raises NotFound."""
        self._run(self._flows.erase(job_id))

    @property
    def operator(self) -> Operator:
        """Dead letters and stuck jobs; needs an operator's key."""
        return Operator(OperatorFlows(self._flows), self._run)

    def _run(self, flow: Flow[T]) -> T:
        try:
            request = next(flow)
            while True:
                request = flow.send(self._outcome(request))
        except StopIteration as end:
            returned: T = end.value
            return returned

    def _outcome(self, request: Request) -> Outcome:
        if request.after_s:
            time.sleep(request.after_s)
        early = EarlyAnswer()
        content = _watched(request.file, early) if request.file else request.body
        try:
            with self._apis[request.api].stream(
                **sent_as(request), content=content, extensions={"trace": early.trace}
            ) as response:
                return Reply(response.status_code, dict(response.headers), _received(response, request.to))
        except httpx.RequestError as error:
            return NoReply(error, str(self._apis[request.api].base_url))


def _watched(file: Upload, early: EarlyAnswer) -> Iterator[bytes]:
    for chunk in file.chunks():
        early.stop_if_answered()
        yield chunk


def _received(response: httpx.Response, to: Path | None) -> bytes:
    if to is None or response.status_code != httpx.codes.OK:
        return response.read()
    with saved(to) as file:
        for chunk in response.iter_bytes():
            file.write(chunk)
    return b""
