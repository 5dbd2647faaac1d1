"""What operators may ask and are answered, as the API's description shows it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path

from claimcheck.errors import (
    LetterNotFound,
    LetterUnreadable,
    OperatorsOnly,
    RecordsUnavailable,
    Unauthenticated,
    UploadTooLarge,
    UploadTooSlow,
)
from claimcheck.operator_queries import AGE, DEFAULT_LIMIT, LETTER_ID, MOST, Filters
from claimcheck.operator_views import LetterDetailView, LetterListView, OutcomesView, StuckJobsView
from claimcheck.web.openapi import Responses, header, problems
from services.process_api.operator.bulk import Order

_REFUSED = (Unauthenticated, OperatorsOnly)
_LETTER = "default:0f9619ff-8b86-4d01-b42d-00cf4fc964ff:speech:17:2026-03-14T09:26:53.589Z"
_LINK = header(
    "The next page, if there is one.", '<https://process.example/v1/operator/dead-letters?after=...>; rel="next"'
)
_LIMIT = {"type": "integer", "minimum": 1, "maximum": MOST, "default": DEFAULT_LIMIT}
_ABOUT = {
    "task": "Only letters of jobs of this task.",
    "tenant": "Only letters of this tenant's jobs.",
    "reason": "Only letters with exactly this reason.",
    "older_than": "Only letters that were stored longer ago: a number and s, m, h or d.",
    "newer_than": "Only letters that were stored later than that.",
}

LetterIdInPath = Annotated[
    str, Path(description="The dead letter's id.", json_schema_extra={"pattern": LETTER_ID, "examples": [_LETTER]})
]

UPLOADS = problems(*_REFUSED)
LETTERS: Responses = {
    200: {"model": LetterListView, "description": "A page of dead letters.", "headers": {"Link": _LINK}},
    **problems(*_REFUSED, RecordsUnavailable),
}
LETTER: Responses = {
    200: {"model": LetterDetailView, "description": "The dead letter, and where its job stands."},
    **problems(*_REFUSED, LetterNotFound, LetterUnreadable, RecordsUnavailable),
}
OUTCOMES: Responses = {
    200: {"model": OutcomesView, "description": "What became of each letter; some may have been refused or failed."},
    **problems(*_REFUSED, LetterNotFound, UploadTooSlow, UploadTooLarge, RecordsUnavailable),
}
STUCK: Responses = {
    200: {"model": StuckJobsView, "description": "The jobs that have waited longest."},
    **problems(*_REFUSED, RecordsUnavailable),
}


def letters_query() -> dict[str, Any]:
    """The parameters of the list of dead letters."""
    fields = Filters.model_json_schema()["properties"]
    # In a query there is no null: what is absent is left out.
    filters = [_parameter(name, _ABOUT[name], fields[name]["anyOf"][0]) for name in _ABOUT]
    after = _parameter("after", "Where the page begins: taken from the next_url of the one before.", {"type": "string"})
    limit = _parameter("limit", "How many letters a page has at most.", _LIMIT)
    return {"parameters": [*filters, limit, after]}


def stuck_query() -> dict[str, Any]:
    """The parameters of the list of jobs that do not move."""
    age = {"type": "string", "pattern": AGE, "examples": ["10m"]}
    about = "Only jobs that have neither moved nor come due for longer; without it, for longer than five leases."
    return {"parameters": [_parameter("older_than", about, age), _parameter("limit", "How many at most.", _LIMIT)]}


def order(model: type[Order]) -> dict[str, Any]:
    """The body of a route that does something with many letters."""
    examples = {
        "these": {"summary": "These", "value": {"ids": [_LETTER]}},
        "some": {"summary": "What some filters find", "value": {"reason": "MaxDeliveryCountExceeded", "dry_run": True}},
    }
    content = {"schema": model.model_json_schema(), "examples": examples}
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


def _parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}
