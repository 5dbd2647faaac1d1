"""The HTTP server: who is asked what, whether they are let in, and which rule strikes.

Owns routes and keys. Every request for a completion is noted, also one that is refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.web_request import BaseRequest

from . import control, refusals
from .answering import Said, events, say, whole
from .asking import Question, decoded, read_question
from .refusals import Refusal
from .script import Rule, Script
from .seen import Requests, Seen
from .sending import close, hang, send

MAX_REQUEST_BYTES = 64 * 1024 * 1024
_NOTED_HEADERS = ("user-agent", "content-type", "traceparent", "x-stainless-retry-count", "x-stainless-read-timeout")
_NO_RULE = Rule(id="")


@dataclass(frozen=True)
class ServiceOptions:
    """What the endpoint offers, and to whom."""

    models: Mapping[str, str]
    """What answers call each model, by its name; on Azure the name is the deployment's."""
    keys: frozenset[str] = frozenset()
    """Without any, everybody is let in."""
    context_tokens: int = 128_000
    delay_s: float = 0.0
    """Seconds that an answer takes, unless a rule says otherwise."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request for a completion came."""

    azure: bool
    deployment: str = ""
    """Empty: the body names the model."""
    api_version: str = ""


class Service:
    """Answers requests for one endpoint."""

    def __init__(self, options: ServiceOptions) -> None:
        self._options = options
        self._script = Script()
        self._requests = Requests()

    async def handle(self, request: BaseRequest) -> web.StreamResponse:
        """Answer one HTTP request."""
        path = [segment for segment in request.path.split("/") if segment]
        azure = path[:1] == ["openai"]
        try:
            if path[:1] == ["_emulator"]:
                return await self._controlled(request, path[1:])
            if path == ["healthz"]:
                return web.json_response({"status": "ok"})
            if request.method == "POST" and path[-2:] == ["chat", "completions"]:
                return await self._complete(request, _route(path[:-2], request.query.get("api-version", "")))
            if request.method == "GET" and path[:2] == ["v1", "models"]:
                self._authorized(request, azure=False)
                return self._models("/".join(path[2:]))
            raise _unknown(request, azure=azure)
        except Refusal as refusal:
            return _refused(refusal, azure=azure)
        except web.HTTPRequestEntityTooLarge:
            return _refused(Refusal(413, f"The body is over {MAX_REQUEST_BYTES} bytes."), azure=azure)

    async def _controlled(self, request: BaseRequest, path: list[str]) -> web.Response:
        return control.answer(
            request.method,
            path,
            await request.read(),
            query_limit=request.query.get("limit", ""),
            script=self._script,
            requests=self._requests,
        )

    def _models(self, name: str) -> web.Response:
        listed = [
            {"id": model, "object": "model", "created": 0, "owned_by": "scripted"} for model in self._options.models
        ]
        if not name:
            return web.json_response({"object": "list", "data": listed})
        found = next((model for model in listed if model["id"] == name), None)
        if found is None:
            raise refusals.unknown_model(name, azure=False)
        return web.json_response(found)

    async def _complete(self, request: BaseRequest, route: Route) -> web.StreamResponse:
        raw = await request.read()
        body: dict[str, Any] = {}
        with contextlib.suppress(Refusal):
            body = decoded(raw)
        named = route.deployment or str(body.get("model", ""))
        seen = self._requests.begin(
            named if named in self._options.models else "?",
            azure=route.azure,
            api_version=route.api_version,
            headers={name: request.headers[name] for name in _NOTED_HEADERS if name in request.headers},
            raw=raw,
        )
        try:
            return await self._struck(request, route, named, seen)
        except Refusal as refusal:
            seen.outcome, seen.status = "refused", refusal.status
            return _refused(refusal, azure=route.azure)
        except (asyncio.CancelledError, ConnectionError):
            seen.outcome = "left"
            raise
        finally:
            self._requests.end(seen)

    async def _struck(self, request: BaseRequest, route: Route, named: str, seen: Seen) -> web.StreamResponse:
        """Let a rule strike. Raises Refusal."""
        seen.key = self._authorized(request, azure=route.azure)
        question = self._question(seen.raw or b"", named, azure=route.azure)
        labels = {"model": named, "text": question.text, "key": seen.key}
        rule = self._script.rule_for(labels) or _NO_RULE
        seen.rule = rule.id
        if delay_s := self._delay_s(rule):
            await asyncio.sleep(delay_s)
        if refusal := _refusal(rule, question, azure=route.azure, context_tokens=self._options.context_tokens):
            raise refusal
        if rule.action == "hang":
            await hang()
        if rule.action == "close":
            seen.outcome = "broken"
            return close(request)
        return await self._answered(request, route, question, rule, seen)

    async def _answered(
        self, request: BaseRequest, route: Route, question: Question, rule: Rule, seen: Seen
    ) -> web.StreamResponse:
        said = say(question, seen.model, rule)
        pieces = _pieces(said, question, rule, version=self._options.models[seen.model], azure=route.azure)
        streams = question.stream and rule.action != "body"
        seen.status = 200
        response = await send(request, pieces, rule=rule, streams=streams, headers=_headers(azure=route.azure))
        seen.outcome = "broken" if rule.action in ("truncate", "short", "body") else "answered"
        if seen.outcome == "answered":
            seen.prompt_tokens, seen.completion_tokens = said.prompt_tokens, said.completion_tokens
        return response

    def _question(self, raw: bytes, named: str, *, azure: bool) -> Question:
        body = decoded(raw)
        if not named:
            raise refusals.bad_request("you must provide a model parameter")
        if named not in self._options.models:
            raise refusals.unknown_model(named, azure=azure)
        question = read_question(body)
        if question.prompt_tokens + (question.max_tokens or 0) > self._options.context_tokens:
            raise refusals.too_long(question.prompt_tokens, self._options.context_tokens)
        return question

    def _authorized(self, request: BaseRequest, *, azure: bool) -> str:
        """The key, if keys are asked for. Raises Refusal (401)."""
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        given = bearer.strip() if scheme.lower() == "bearer" else ""
        if azure:
            given = request.headers.get("api-key", given)
        if not self._options.keys:
            return ""
        if given not in self._options.keys:
            raise Refusal(401)
        return given

    def _delay_s(self, rule: Rule) -> float:
        if rule.delay_s is not None:
            return rule.delay_s
        return 0.0 if rule.action in ("fail", "filter-prompt", "too-long", "close") else self._options.delay_s


def _route(path: list[str], api_version: str) -> Route:
    """Raises Refusal (404)."""
    if path == ["v1"]:
        return Route(azure=False)
    if path == ["openai", "v1"]:
        return Route(azure=True, api_version=api_version)
    if len(path) == 3 and path[:2] == ["openai", "deployments"] and api_version:
        return Route(azure=True, deployment=path[2], api_version=api_version)
    raise Refusal(404, "Resource not found", code="404")


def _pieces(said: Said, question: Question, rule: Rule, *, version: str, azure: bool) -> list[bytes]:
    if rule.action == "body":
        return [rule.body.encode()]
    if question.stream:
        return list(events(said, version, azure=azure, with_usage=rule.usage and question.includes_usage))
    return [whole(said, version, azure=azure, with_usage=rule.usage)]


def _refusal(rule: Rule, question: Question, *, azure: bool, context_tokens: int) -> Refusal | None:
    if rule.action == "too-long":
        return refusals.too_long(max(question.prompt_tokens, context_tokens + 1), context_tokens)
    if rule.action == "filter-prompt":
        return refusals.filtered(azure=azure)
    if rule.action != "fail":
        return None
    refusal = Refusal(rule.status, rule.message, code=rule.code, param=rule.param)
    if rule.retry_after_s is not None:
        refusal.headers = refusals.retry_after(rule.retry_after_s, rule.retry_after_as)
    return refusal


def _unknown(request: BaseRequest, *, azure: bool) -> Refusal:
    if azure:
        return Refusal(404, "Resource not found", code="404")
    text = f"Invalid URL ({request.method} {request.path})"
    return Refusal(404, text, code="unknown_url")


def _refused(refusal: Refusal, *, azure: bool) -> web.Response:
    headers = {**_headers(azure=azure), **refusal.headers, "Content-Type": "application/json"}
    return web.Response(status=refusal.status, body=json.dumps(refusal.body(azure=azure)).encode(), headers=headers)


def _headers(*, azure: bool) -> dict[str, str]:
    request_id = str(uuid.uuid4())
    return {"apim-request-id": request_id, "x-request-id": request_id} if azure else {"x-request-id": request_id}
