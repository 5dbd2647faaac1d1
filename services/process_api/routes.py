"""The routes that take a file. Short: streaming is `submission`'s, the order of writes is `accept`'s."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from claimcheck import representation
from claimcheck.errors import JobNotFound
from claimcheck.settings import WebSettings
from claimcheck.web import response
from claimcheck.web.answering import Answers
from claimcheck.web.openapi import PREFER
from claimcheck.web.waiting import Waiting
from services.process_api import described
from services.process_api.intent import DEFAULT_TASK
from services.process_api.submission import Submissions


def submission_routes(submissions: Submissions, web: WebSettings, answers: Answers, waiting: Waiting) -> APIRouter:
    """Everything that takes a file."""
    router = APIRouter(tags=["jobs"])

    @router.post(
        "/v1/jobs",
        status_code=202,
        summary="Submit a file, a text, a chat or an earlier job's text",
        openapi_extra=described.submission(DEFAULT_TASK, PREFER),
        responses=described.SUBMITTED,
    )
    async def post_job(request: Request) -> Response:
        accepted = await submissions.submit(request, DEFAULT_TASK)
        try:
            job, applied = await waiting.as_preferred(request, accepted, lambda job: job.ended)
        except JobNotFound:  # Erased while this request waited: it was accepted all the same.
            return await answers.submitted(accepted, {})
        return await answers.submitted(job, applied)

    @router.post(
        "/api/process",
        status_code=202,
        summary="Submit as to the reference system",
        openapi_extra=described.submission(web.reference_task),
        responses=described.REFERENCE_SUBMITTED,
    )
    async def post_process(request: Request) -> Response:
        job = await submissions.submit(request, web.reference_task)
        return response(representation.reference_accepted(job, urls=answers.urls, poll_s=answers.poll_s))

    return router
