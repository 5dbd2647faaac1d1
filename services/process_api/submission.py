"""From a request to an accepted job: admit, stream, check, accept. What is refused leaves no blob behind."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace

from fastapi import Request
from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect

from claimcheck.blobs import BlobWriter
from claimcheck.errors import BlobsUnavailable, MalformedRequest, MalformedUpload, UnsupportedMedia, UploadTooSlow
from claimcheck.idempotency import read_key
from claimcheck.job import Job, Upload
from claimcheck.settings import Settings
from claimcheck.telemetry import traceparent
from claimcheck.web.access import Access
from services.process_api.accept import Intake
from services.process_api.admission import Admission
from services.process_api.body import check_announced, check_size, in_time, read_all, receive, unless_stopping
from services.process_api.earlier import EarlierJobs
from services.process_api.form import Form
from services.process_api.intent import Intent, Order
from services.process_api.json_input import MAX_JSON_BYTES, JsonOrder, read_submission
from services.process_api.source import FIELDS, Raw, Source

log = logging.getLogger(__name__)

# JSON of 1 MiB that is made of 350,000 empty objects takes 0.2 s and 30 MB to read, so of what is longer than this one
# is read at a time, in a thread; this much takes 15 ms. Whoever sends a text waits 5 ms for it.
SOON_READ_BYTES = 64 * 1024
ACCEPT_S = 6.0  # Of a stop: record and message take two time limits at worst, a refusal twice `lingering.LINGER_S`.


@dataclass(frozen=True)
class Submission:
    """A submission in progress: where its bytes go until the job is accepted."""

    request: Request
    tenant: str
    job_id: str
    has_key: bool
    """Whether the id is made of an idempotency key, and may have come before."""
    blob: str
    writer: BlobWriter


class Submissions:
    """Turns a request into an accepted job."""

    def __init__(
        self, settings: Settings, access: Access, intake: Intake, *, admission: Admission, earlier: EarlierJobs
    ) -> None:
        self._web = settings.web
        self._access, self._intake, self._admission, self._earlier = access, intake, admission, earlier
        self._reading = asyncio.Lock()

    async def submit(self, request: Request, default_task: str) -> Job:
        """Admit, stream, check, accept. `default_task`: for a request that names none; empty: by content.

        What is refused leaves no blob behind. A dependency that fails from the commit on may leave one: the outcome can
        be unknown, and the record may name it. Without a record the keeper's sweep deletes it.
        """
        trace = traceparent(request.headers.get("traceparent"))
        async with self._submission(request) as submission:
            order = await self._received(submission, default_task)
            if order.input_of is not None:
                if (known := await self._made_before(submission, order, order.input_of, trace)) is not None:
                    return known
                order = await self._copied(submission, order, order.input_of)
            upload = await self._stored(submission, order)
        return await self._intake.accept(
            tenant=submission.tenant,
            job_id=submission.job_id,
            task=order.task,
            options=order.options,
            upload=upload,
            traceparent=trace,
            input_of=order.input_of,
        )

    @contextlib.asynccontextmanager
    async def _submission(self, request: Request) -> AsyncIterator[Submission]:
        tenant, key = self._access.tenant(request.headers), read_key(request.headers.getlist("idempotency-key"))
        with self._admission.upload(tenant):
            job_id, blob, writer = self._intake.writer(tenant, key)
            left_s = max(0.0, self._web.stop_s - ACCEPT_S)
            try:
                async with unless_stopping(request.app.state.stopping, left_s=left_s):
                    yield Submission(request, tenant, job_id, key is not None, blob, writer)
            except BaseException:
                # Unless the commit itself failed, nothing is visible: the staged blocks go by themselves.
                await writer.discard()
                raise

    async def _received(self, submission: Submission, default_task: str) -> Order:
        """What is asked for, with the file's bytes in the writer."""
        try:
            return await self._read(submission.request, submission.writer, default_task)
        except ClientDisconnect as cause:
            log.info("upload.abandoned", extra={"size_bytes": submission.writer.size_bytes})
            raise MalformedUpload("the client went away before the body ended") from cause
        except UploadTooSlow:
            log.info("upload.too_slow", extra={"size_bytes": submission.writer.size_bytes})
            raise

    async def _read(self, request: Request, writer: BlobWriter, default_task: str) -> Order:
        check_encoding(request.headers.get("content-encoding", ""))
        given = read_query(request.query_params)
        web = self._web
        timely = in_time(request.stream(), window_s=web.body_window_s, window_bytes=web.body_window_bytes)
        kind = request.headers.get("content-type", "").partition(";")[0].strip(" \t").lower()
        if kind == "application/json":
            asked = await self._asked(await read_all(timely, limit_bytes=MAX_JSON_BYTES), given, default_task)
            await writer.write(asked.content)
            return asked.order
        source: Source
        if kind == "multipart/form-data":
            source = Form(request.headers["content-type"], given)
        else:
            # Nothing that comes later can name the task, so it is checked before the body is read.
            source = Raw(request.headers, {"task": default_task, **given})
        length = request.headers.get("content-length", "")
        check_announced(
            int(length) if length.isdecimal() else None,
            rest_limit_bytes=source.rest_limit_bytes,
            limit_bytes=web.max_upload_bytes,
        )
        return await receive(
            timely, source=source, intent=Intent(default_task), writer=writer, limit_bytes=web.max_upload_bytes
        )

    async def _asked(self, body: bytes, given: Mapping[str, str], default_task: str) -> JsonOrder:
        """What a JSON body asks for, read beside the event loop if that takes long."""
        read = functools.partial(read_submission, body, given=given, default_task=default_task)
        if len(body) <= SOON_READ_BYTES:
            return read()
        async with self._reading:
            return await asyncio.to_thread(read)

    async def _made_before(self, submission: Submission, order: Order, source: str, trace: str) -> Job | None:
        """The job of this very request, if it came before with its idempotency key: its input may be gone by now."""
        if not submission.has_key:
            return None
        return await self._intake.made_before(
            tenant=submission.tenant,
            job_id=submission.job_id,
            task=order.task,
            options=order.options,
            input_of=source,
            traceparent=trace,
        )

    async def _copied(self, submission: Submission, order: Order, source: str) -> Order:
        """The order with its input, an earlier job's text, in the writer."""
        text = await self._earlier.text_of(submission.tenant, source)
        check_size(len(text.content), self._web.max_upload_bytes)
        await submission.writer.write(text.content)
        return replace(order, name=text.name)

    async def _stored(self, submission: Submission, order: Order) -> Upload:
        try:
            written = await submission.writer.finish(order.media_type)
        except BlobsUnavailable:
            # The commit's answer may be lost; without a record the blob is deleted by the sweep.
            log.warning("upload.unknown", extra={"blob": submission.blob})
            raise
        return Upload(
            blob=submission.blob,
            name=order.name,
            media_type=order.media_type,
            size_bytes=written.size_bytes,
            sha256=written.sha256,
        )


def check_encoding(header: str) -> None:
    """Raises UnsupportedMedia for a body that is compressed: the limits count the file's bytes as they come."""
    if header.strip().lower() not in ("", "identity"):
        raise UnsupportedMedia(f"Content-Encoding is {header[:40]!r}; the body is expected as it is ('identity')")


def read_query(query: QueryParams) -> dict[str, str]:
    """`task` and `options` in the address. Raises MalformedRequest for anything else, and for one that comes twice."""
    found: dict[str, str] = {}
    for name, value in query.multi_items():
        if name not in FIELDS:
            raise MalformedRequest(f"the query has a parameter {name[:40]!r}; task and options are expected")
        if name in found:
            raise MalformedRequest(f"the query has {name!r} twice; once is expected")
        found[name] = value
    return found
