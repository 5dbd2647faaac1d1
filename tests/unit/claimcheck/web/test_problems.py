"""Errors that should never leave a service, and do, are logged as what they are: bugs."""

from __future__ import annotations

import logging

import httpx
import pytest
from fastapi import FastAPI

from claimcheck.errors import ItemRefused
from claimcheck.web import add_error_handlers


@pytest.mark.parametrize("error", [ItemRefused("Cosmos DB refused the query with 400"), ZeroDivisionError()])
async def test_error_that_is_no_answer_is_a_logged_500(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    app = FastAPI()
    add_error_handlers(app)

    @app.get("/")
    async def route() -> None:
        raise error

    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    with caplog.at_level(logging.ERROR):
        async with httpx.AsyncClient(transport=transport, base_url="http://api.example") as client:
            answer = await client.get("/")
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:claimcheck:problem:internal-error")
    assert "refused" not in answer.text
    assert [record.getMessage() for record in caplog.records] == ["request.failed"]
