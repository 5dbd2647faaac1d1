"""The routes that take a file. Short: streaming is `upload`'s, the order of writes is `accept`'s."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from claimcheck import representation
from claimcheck.representation import Urls
from claimcheck.settings import WebSettings
from claimcheck.web import response
from services.process_api.submission import DEFAULT_TASK, Submissions


def _body(default_task: str) -> dict[str, Any]:
    """The form as the API's description shows it."""
    schema = {
        "type": "object",
        "required": ["file"],
        "properties": {
            "file": {"type": "string", "format": "binary", "description": "The recording."},
            "task": {
                "type": "string",
                "description": "What to do with it." if default_task else "What to do with it; chosen by its type.",
                **({"default": default_task} if default_task else {}),
            },
            "options": {
                "type": "string",
                "description": "The task's options: a JSON object.",
                "example": '{"language": "en"}',
            },
        },
    }
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


def submission_routes(submissions: Submissions, web: WebSettings) -> APIRouter:
    """Everything that takes a file."""
    router = APIRouter(tags=["jobs"])
    urls = Urls(status=web.status_url)

    @router.post("/v1/jobs", status_code=202, openapi_extra=_body(DEFAULT_TASK), summary="Submit a file")
    async def post_job(request: Request) -> Response:
        job = await submissions.submit(request, DEFAULT_TASK)
        body = representation.view(
            job,
            task=None,
            urls=urls,
            now=datetime.now(UTC),
        )
        return response(representation.accepted(job, body, urls=urls, poll_s=web.poll_s))

    body = _body(web.reference_task)

    @router.post("/api/process", status_code=202, openapi_extra=body, summary="Submit as to the reference system")
    async def post_process(request: Request) -> Response:
        job = await submissions.submit(request, web.reference_task)
        return response(representation.reference_accepted(job, urls=urls, poll_s=web.poll_s))

    return router
