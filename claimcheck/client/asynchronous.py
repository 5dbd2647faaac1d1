"""`AsyncClient`: the client for asyncio. It carries out what `flows` decide."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Mapping, Sequence
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
from claimcheck.client.operating import AsyncOperator
from claimcheck.client.operator_flows import OperatorFlows
from claimcheck.client.retrying import OnRetry, Retry

T = TypeVar("T")


class AsyncClient:
    """`Client` for asyncio: the same calls, awaited, with the same meaning and errors. Files are read in a thread.

    async with AsyncClient("http://localhost:8000", "http://localhost:8001") as client:
        job = await client.wait((await client.submit(Path("talk.mp3"))).id)
        print(await client.result(job.id, "txt"))
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
        """As `Client`."""
        self._flows = Flows(retry or Retry(), time.monotonic, random.random, on_retry)
        self._apis = {
            "process": httpx.AsyncClient(**httpx_arguments(process_url, key), limits=UNSHARED),
            "status": httpx.AsyncClient(**httpx_arguments(status_url, key), limits=SHARED),
        }

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        for api in self._apis.values():
            await api.aclose()

    async def submit(
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
        """As `Client.submit`. `on_progress` is called in a thread, the one that reads the file."""
        with opened(file, name=name, on_progress=on_progress) as upload:
            flow = self._flows.submit(upload, task=task, options=options, media_type=media_type, key=idempotency_key)
            return await self._run(flow)

    async def submit_text(
        self,
        text: str,
        *,
        task: str = "complete",
        options: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> JobView:
        """As `Client.submit_text`."""
        flow = self._flows.submit_input({"text": text}, task=task, options=options, key=idempotency_key)
        return await self._run(flow)

    async def submit_chat(
        self,
        messages: Sequence[Mapping[str, str]],
        *,
        task: str = "complete",
        options: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> JobView:
        """As `Client.submit_chat`."""
        flow = self._flows.submit_input(
            {"messages": [*map(dict, messages)]}, task=task, options=options, key=idempotency_key
        )
        return await self._run(flow)

    async def submit_text_of(
        self,
        job_id: str,
        *,
        task: str = "summarize",
        options: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> JobView:
        """As `Client.submit_text_of`."""
        flow = self._flows.submit_input({"job_id": job_id}, task=task, options=options, key=idempotency_key)
        return await self._run(flow)

    async def models(self) -> ModelList:
        """As `Client.models`."""
        return await self._run(self._flows.models())

    async def job(self, job_id: str) -> JobView:
        """As `Client.job`."""
        return await self._run(self._flows.job(job_id))

    async def jobs(
        self, *, status: str | None = None, task: str | None = None, limit: int | None = None
    ) -> AsyncIterator[JobView]:
        """As `Client.jobs`, for `async for`."""
        params: Mapping[str, str] | None = list_params(status, task, limit)
        left = limit
        while params is not None and left != 0:
            page = await self._run(self._flows.page(params))
            shown = page.jobs[:left]
            for job in shown:
                yield job
            params, left = page.next_params, None if left is None else left - len(shown)

    async def wait(self, job_id: str, *, timeout_s: float | None = None, on_progress: OnJob | None = None) -> JobView:
        """As `Client.wait`."""
        return await self._run(self._flows.wait(job_id, timeout_s=timeout_s, on_progress=on_progress))

    @overload
    async def result(self, job_id: str, format: Literal["json"] = "json") -> dict[str, Any]: ...

    @overload
    async def result(self, job_id: str, format: Literal["txt", "srt", "vtt"]) -> str: ...

    @overload
    async def result(self, job_id: str, format: str) -> dict[str, Any] | str: ...

    async def result(self, job_id: str, format: str = "json") -> dict[str, Any] | str:
        """As `Client.result`."""
        body = await self._run(self._flows.result(job_id, format))
        return answers.value(body) if format == "json" else body.decode()

    async def download(self, job_id: str, format: str, to: Path) -> Path:
        """As `Client.download`."""
        await self._run(self._flows.result(job_id, format, to))
        return to

    async def cancel(self, job_id: str) -> JobView:
        """As `Client.cancel`."""
        return await self._run(self._flows.cancel(job_id))

    async def erase(self, job_id: str) -> None:
        """As `Client.erase`."""
        await self._run(self._flows.erase(job_id))

    @property
    def operator(self) -> AsyncOperator:
        """As `Client.operator`."""
        return AsyncOperator(OperatorFlows(self._flows), self._run)

    async def _run(self, flow: Flow[T]) -> T:
        try:
            request = next(flow)
            while True:
                request = flow.send(await self._outcome(request))
        except StopIteration as end:
            returned: T = end.value
            return returned

    async def _outcome(self, request: Request) -> Outcome:
        if request.after_s:
            await asyncio.sleep(request.after_s)
        early = EarlyAnswer()
        content = _watched(request.file, early) if request.file else request.body
        try:
            async with self._apis[request.api].stream(
                **sent_as(request), content=content, extensions={"trace": early.atrace}
            ) as response:
                return Reply(response.status_code, dict(response.headers), await _received(response, request.to))
        except httpx.RequestError as error:
            return NoReply(error, str(self._apis[request.api].base_url))


async def _watched(file: Upload, early: EarlyAnswer) -> AsyncIterator[bytes]:
    chunks = file.chunks()
    while chunk := await asyncio.to_thread(next, chunks, b""):
        early.stop_if_answered()
        yield chunk


async def _received(response: httpx.Response, to: Path | None) -> bytes:
    if to is None or response.status_code != httpx.codes.OK:
        return await response.aread()
    with saved(to) as file:
        async for chunk in response.aiter_bytes():
            await asyncio.to_thread(file.write, chunk)
    return b""
