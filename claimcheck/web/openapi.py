"""What the OpenAPI documents say beyond the routes' names: problems with examples, headers, keys.

The documents are a promise: the contract tests send whatever they allow, and accept only answers that they name.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import FastAPI, Path
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict

from claimcheck.errors import ClaimcheckError, HeadersTooLarge, HeadersTooSlow, MalformedRequest, TargetTooLong

PROBLEM_MEDIA_TYPE = "application/problem+json"
Responses = dict[int | str, dict[str, Any]]

_RETRY_AFTER = {"description": "Seconds until the same request may work.", "schema": {"type": "integer", "minimum": 1}}
_CHALLENGE = {"description": "How to identify oneself.", "schema": {"type": "string", "examples": ["Bearer"]}}
_INTERNAL_ERROR = {
    "description": "An internal error; it is logged.",
    "content": {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_HEADERS = {
    401: {"WWW-Authenticate": _CHALLENGE},
    429: {"Retry-After": _RETRY_AFTER},
    503: {"Retry-After": _RETRY_AFTER},
}

_SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, where the installation asks for one."},
    "header": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "The same key, for older clients.",
    },
}
_OPEN = ("/healthz", "/readyz")
EVERYWHERE: tuple[type[ClaimcheckError], ...] = (MalformedRequest, HeadersTooSlow, TargetTooLong, HeadersTooLarge)
"""What any request may meet before it reaches its route."""


class Problem(BaseModel):
    """A problem document (RFC 9457). Further members depend on the type."""

    model_config = ConfigDict(extra="allow")

    type: str
    """`urn:claimcheck:problem:<slug>`; one for each kind of error, and it never changes."""
    title: str
    status: int
    detail: str
    """What, the value and the limit."""


def problems(*errors: type[ClaimcheckError]) -> Responses:
    """The answers that these errors become, by status."""
    answers: Responses = {}
    for error in (*errors, *EVERYWHERE):
        answer = answers.setdefault(error.status, _problem_response(error.status))
        example = {"summary": error.title, "value": error(error.example).problem()}
        answer["content"][PROBLEM_MEDIA_TYPE]["examples"].setdefault(error.slug, example)
    return answers


def _problem_response(status: int) -> dict[str, Any]:
    content = {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}
    headers = {"headers": _HEADERS[status]} if status in _HEADERS else {}
    return {"description": HTTPStatus(status).phrase, "content": {PROBLEM_MEDIA_TYPE: content}, **headers}


def header(description: str, example: str | int) -> dict[str, Any]:
    """A header of an answer."""
    return {"description": description, **_example(example)}


def request_header(name: str, description: str, example: str) -> dict[str, Any]:
    """A header that a request may have."""
    return {"name": name, "in": "header", "required": False, "description": description, **_example(example)}


def _example(example: str | int) -> dict[str, Any]:
    return {"schema": {"type": "integer" if isinstance(example, int) else "string"}, "example": example}


PREFER = request_header("Prefer", "How many seconds the answer may wait for the end of the job; 60 at most.", "wait=30")
PREFERENCE_APPLIED = header("The wait, if it was honoured.", "wait=30")
RETRY_AFTER = header("Seconds until the next request makes sense.", 1)
LOCATION = header("Where the job is polled.", "https://status.example/v1/jobs/0f9619ff-8b86-4d01-b42d-00cf4fc964ff")
OPERATION_LOCATION = header(
    "The job as a status monitor.", "https://status.example/v1/operations/0f9619ff-8b86-4d01-b42d-00cf4fc964ff"
)

_ID = {"format": "uuid", "examples": ["0f9619ff-8b86-4d01-b42d-00cf4fc964ff"]}
JobId = Annotated[str, Path(description="The job's id.", json_schema_extra=_ID)]


def describe(app: FastAPI, description: str) -> None:
    """Let the application's `/openapi.json` say all of it."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(title=app.title, version=app.version, description=description, routes=app.routes)
            app.openapi_schema = _completed(made)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's own way to extend it


def operation_id(route: APIRoute) -> str:
    """The function's name: generated clients take it for theirs."""
    return route.name


def _completed(made: dict[str, Any]) -> dict[str, Any]:
    components = made.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas["Problem"] = Problem.model_json_schema()
    for unused in ("HTTPValidationError", "ValidationError"):  # A bad parameter is a problem document like any other.
        schemas.pop(unused, None)
    components["securitySchemes"] = _SECURITY
    for path, operations in made["paths"].items():
        for operation in operations.values():
            _without_framework_errors(operation["responses"])
            operation["responses"]["500"] = _INTERNAL_ERROR
            if path not in _OPEN:
                operation["security"] = [*({name: []} for name in _SECURITY), {}]
    return made


def _without_framework_errors(responses: dict[str, Any]) -> None:
    documented = responses.get("422", {}).get("content", {}).get("application/json", {}).get("schema", {})
    if "HTTPValidationError" in str(documented):
        del responses["422"]
