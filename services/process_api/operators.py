"""What operators ask this replica."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from claimcheck.web.access import Access
from services.process_api import described
from services.process_api.admission import Admission


def operator_routes(access: Access, admission: Admission) -> APIRouter:
    """Routes that an operator's key opens."""
    router = APIRouter(tags=["operators"], prefix="/v1/operator")

    @router.get("/uploads", summary="Uploads under way at this replica, by tenant", responses=described.UPLOADS)
    async def uploads(request: Request) -> dict[str, Any]:
        access.operator(request.headers)
        held = admission.under_way()
        return {"tenants": {t: {"uploads": count, "limit": admission.limit} for t, count in held.items()}}

    return router
