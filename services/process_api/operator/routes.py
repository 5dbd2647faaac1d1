"""The operators' routes. Short: which letters is `claimcheck.operator_queries`', what becomes of them `bulk`'s."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from claimcheck import operator_views, replaying, strict_json
from claimcheck.errors import LetterNotReplayable, MalformedRequest
from claimcheck.operator_queries import LetterId, read_page_query, read_stuck_query, validated
from claimcheck.operator_views import StuckJobsView, View, body_of, job_state_view
from claimcheck.records import Records
from claimcheck.representation import Answer
from claimcheck.rescuing import PATIENCE_LOCKS
from claimcheck.settings import Settings, WebSettings
from claimcheck.telemetry import traceparent
from claimcheck.web import response
from claimcheck.web.access import Access
from services.process_api.admission import Admission
from services.process_api.body import in_time, read_all
from services.process_api.operator import described
from services.process_api.operator.bulk import Bulk, Order, ReplayOrder, readable
from services.process_api.operator.replaying import Replayer

LETTERS = "/dead-letters"
MAX_ORDER_BYTES = 64 * 1024  # A hundred ids are 10 KB.


@dataclass(frozen=True)
class Desk:
    """What an operator works with."""

    settings: Settings
    access: Access
    admission: Admission
    records: Records
    replayer: Replayer
    bulk: Bulk

    async def order(self, request: Request) -> Any:
        """The JSON of a request's body. Raises MalformedRequest, UploadTooSlow, UploadTooLarge."""
        web = self.settings.web
        body = in_time(request.stream(), window_s=web.body_window_s, window_bytes=web.body_window_bytes)
        try:
            return strict_json.parse((await read_all(body, limit_bytes=MAX_ORDER_BYTES)).decode())
        except ValueError as cause:
            raise MalformedRequest(f"the body is no JSON: {cause}") from cause

    async def letter(self, letter_id: str) -> View:
        """A letter, what it says, and where its job stands.

        Raises LetterNotFound, LetterUnreadable, RecordsUnavailable.
        """
        with readable():
            letter = await self.records.letters.read(LetterId.parse(letter_id))
            record = await self.records.read(letter.tenant, letter.job_id)
        message, refusal = None, None
        try:
            message = replaying.read_message(letter).model_dump(mode="json")
            if letter.replayed_as is None:
                self.replayer.planned(letter, record, force=False)
        except LetterNotReplayable as error:
            refusal = error.problem()
        return operator_views.letter_detail_view(letter, record, message=message, refusal=refusal)

    async def stuck(self, request: Request) -> View:
        """Jobs that do not move. Raises MalformedRequest, RecordsUnavailable."""
        patience = timedelta(seconds=PATIENCE_LOCKS * self.settings.queue.lease_s)
        unmoved_for, limit = read_stuck_query(request.query_params.multi_items(), patience=patience)
        found = await self.records.lists.unmoved(moved_before=datetime.now(UTC) - unmoved_for, limit=limit + 1)
        jobs = [job_state_view(job) for job in found[:limit]]
        return StuckJobsView(unmoved_s=unmoved_for.total_seconds(), jobs=jobs, more=len(found) > limit)


def operator_routes(desk: Desk) -> APIRouter:
    """Routes that an operator's key opens."""
    router = APIRouter(tags=["operators"], prefix="/v1/operator")

    @router.get("/uploads", summary="Uploads under way at this replica, by tenant", responses=described.UPLOADS)
    async def uploads(request: Request) -> dict[str, Any]:
        desk.access.operator(request.headers)
        held = desk.admission.under_way()
        return {"tenants": {t: {"uploads": count, "limit": desk.admission.limit} for t, count in held.items()}}

    @router.get(
        "/jobs/stuck",
        summary="Jobs of all tenants that have not ended and do not move",
        responses=described.STUCK,
        openapi_extra=described.stuck_query(),
    )
    async def stuck_jobs(request: Request) -> Response:
        desk.access.operator(request.headers)
        return _shown(await desk.stuck(request))

    _add_letter_routes(router, desk)
    return router


def _add_letter_routes(router: APIRouter, desk: Desk) -> None:
    @router.get(
        LETTERS,
        summary="Dead letters of all tenants, newest first",
        responses=described.LETTERS,
        openapi_extra=described.letters_query(),
    )
    async def list_dead_letters(request: Request) -> Response:
        desk.access.operator(request.headers)
        query = read_page_query(request.query_params.multi_items())
        wanted = query.filters.wanted(datetime.now(UTC))
        found = await desk.records.letters.page(wanted, limit=query.limit + 1, after=query.after)
        return response(operator_views.listed(query, found, url=_address(desk.settings.web)))

    @router.get(f"{LETTERS}/{{letter_id}}", summary="A dead letter, and its job's state", responses=described.LETTER)
    async def show_dead_letter(letter_id: described.LetterIdInPath, request: Request) -> Response:
        desk.access.operator(request.headers)
        return _shown(await desk.letter(letter_id))

    @router.post(
        f"{LETTERS}/replay",
        summary="Make a new job of each of these dead letters",
        responses=described.OUTCOMES,
        openapi_extra=described.order(ReplayOrder),
    )
    async def replay_dead_letters(request: Request) -> Response:
        desk.access.operator(request.headers)
        order = validated(ReplayOrder, await desk.order(request))
        return _shown(await desk.bulk.replay(order, traceparent(request.headers.get("traceparent"))))

    @router.post(
        f"{LETTERS}/discard",
        summary="Delete these dead letters",
        responses=described.OUTCOMES,
        openapi_extra=described.order(Order),
    )
    async def discard_dead_letters(request: Request) -> Response:
        desk.access.operator(request.headers)
        return _shown(await desk.bulk.discard(validated(Order, await desk.order(request))))


def _address(web: WebSettings) -> str:
    return f"{web.process_url}/v1/operator{LETTERS}"


def _shown(view: View) -> Response:
    body: Mapping[str, Any] = body_of(view)
    return response(Answer(200, body))
