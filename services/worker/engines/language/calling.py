"""Make one request to one endpoint through the `openai` SDK, and say what came of it. Decides nothing.

The only importer of `openai`, at its first use: it takes a second, and workers of other queues never ask a model. The
SDK retries nothing here, since whom to ask next is the pool's decision.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import aiohttp
from azure.core.exceptions import AzureError

from claimcheck.settings import Endpoint, LanguageSettings
from services.worker.engines.language.completion import answered
from services.worker.engines.language.outcomes import Denied, Failing, Outcome, Refused, of_status
from services.worker.engines.language.question import Message, Question
from services.worker.engines.language.retry_after import retry_after_s

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI

CONNECT_S = 5.0
TOKEN_SCOPE = "https://cognitiveservices.azure.com/.default"
NO_KEY = "no-key"
"""Sent where no key is configured: without any, the SDK would take the one in the environment, which is another's."""

# Newer models of OpenAI know only the second, older services and most others only the first.
_LIMIT, _NEWER_LIMIT = "max_tokens", "max_completion_tokens"

_NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)
"""Raised before a byte of the request has left. The SDK's own errors do not tell: to its transport, a connection that
breaks after the request is a time limit of connecting."""


@dataclass
class _Line:
    """The client of one endpoint, and what it has learnt of its dialect."""

    client: AsyncOpenAI
    limit_name: str = _LIMIT


class Caller:
    """Clients of every endpoint of one worker. They connect at their first request."""

    def __init__(self, settings: LanguageSettings) -> None:
        self._settings = settings
        self._lines: dict[str, _Line] = {}
        self._opening = asyncio.Lock()
        self._closing = AsyncExitStack()

    async def open(self) -> None:
        """Get ready for the first requests, so that they do not wait for it. Connects to nobody."""
        for endpoint in self._settings.endpoints:
            await self._line(endpoint)

    async def call(self, endpoint: Endpoint, question: Question, messages: Sequence[Message]) -> Outcome:
        """Ask once, within the time limit. Raises nothing of the SDK's."""
        line = await self._line(endpoint)
        try:
            async with asyncio.timeout(self._settings.call_s):
                return await self._asked(line, endpoint, self._body(endpoint, question, messages))
        except TimeoutError:
            return Failing(why="timeout", lost=True)

    async def close(self) -> None:
        """Close every connection."""
        self._lines.clear()
        await self._closing.aclose()

    def _body(self, endpoint: Endpoint, question: Question, messages: Sequence[Message]) -> dict[str, Any]:
        body: dict[str, Any] = {"model": endpoint.deployment or endpoint.model, "messages": list(messages)}
        if question.temperature is not None:
            body["temperature"] = question.temperature
        if question.json_schema is not None and "json" in endpoint.capabilities:
            # Not `strict`: that takes a part of JSON Schema only, and answers are checked here anyway.
            schema = {"name": "answer", "schema": dict(question.json_schema), "strict": False}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        body["limit"] = question.max_output_tokens or self._settings.max_output_tokens
        return body

    async def _asked(self, line: _Line, endpoint: Endpoint, body: dict[str, Any]) -> Outcome:
        import httpx2
        import openai

        from services.worker.engines.language.bounded import AnswerTooLarge

        limit, sent = body.pop("limit"), line.limit_name
        try:
            # Not `chat.completions.create`: it walks through every message by its type, which takes 0.7 of 2.3 ms of
            # CPU, and builds a model of the answer that checks nothing (openai 3.54).
            response = await line.client.post("/chat/completions", body={**body, sent: limit}, cast_to=httpx2.Response)
            return answered(response.content, default_model=endpoint.model)
        except openai.APIStatusError as error:
            # By what this one was sent: another may have learnt the newer name meanwhile.
            if sent == _LIMIT and _wants_newer_limit(error):
                line.limit_name = _NEWER_LIMIT
                return await self._asked(line, endpoint, {**body, "limit": limit})
            return self._refused(endpoint, error)
        except AnswerTooLarge:
            return Failing(why="too-large", lost=True)
        except AzureError:
            return Failing(why="no-token", lost=False)
        except (openai.OpenAIError, aiohttp.ClientError, OSError) as error:
            # Broken HTTP comes through the SDK as its transport's own error.
            return Failing(why="connection", lost=_was_sent(error))
        except ValueError as error:
            return _unsendable(endpoint, error)

    def _refused(self, endpoint: Endpoint, error: APIStatusError) -> Outcome:
        wait_s = retry_after_s(error.response.headers, limit_s=self._settings.retry_after_max_s, now=datetime.now(UTC))
        outcome = of_status(error.status_code, error.body, retry_after_s=wait_s)
        if isinstance(outcome, Denied) and outcome.status in (401, 403) and _by_identity(endpoint):
            # A role that was just assigned takes minutes to count, so this heals by itself.
            return Failing(why=str(outcome.status), lost=False)
        return outcome

    async def _line(self, endpoint: Endpoint) -> _Line:
        if endpoint.name not in self._lines:
            async with self._opening:
                if endpoint.name not in self._lines:
                    # The import takes a second and certificates 25 ms: in a thread, or leases wait for them.
                    self._lines[endpoint.name] = _Line(await asyncio.to_thread(self._opened, endpoint))
        return self._lines[endpoint.name]

    def _opened(self, endpoint: Endpoint) -> AsyncOpenAI:
        import openai

        from services.worker.engines.language.bounded import bound

        timeout = openai.Timeout(self._settings.call_s, connect=min(CONNECT_S, self._settings.call_s))
        # aiohttp: 1.05 ms of CPU a request, the SDK's default 1.38 (openai 3.54, 1,500 requests one after another).
        # A redirect would take the prompt, and the key with it, to where nobody has configured.
        http_client = openai.DefaultAioHttpClient(
            timeout=timeout, follow_redirects=False, event_hooks={"response": [bound]}
        )
        settings: dict[str, Any] = {"timeout": timeout, "max_retries": 0, "http_client": http_client}
        # Not compressed: what a body takes in memory is what came.
        settings["default_headers"] = {"Accept-Encoding": "identity"}
        if endpoint.key is not None or endpoint.kind == "openai":
            settings["api_key"] = endpoint.key.get_secret_value() if endpoint.key else NO_KEY
        else:
            settings["azure_ad_token_provider"] = self._token_provider()
        client: AsyncOpenAI
        if endpoint.kind == "azure":
            client = openai.AsyncAzureOpenAI(
                azure_endpoint=endpoint.url,
                azure_deployment=endpoint.deployment or endpoint.model,
                api_version=endpoint.api_version,
                **settings,
            )
        else:
            client = openai.AsyncOpenAI(base_url=endpoint.url, **settings)
        self._closing.push_async_callback(client.close)
        return client

    def _token_provider(self) -> Any:
        from azure.identity.aio import DefaultAzureCredential, get_bearer_token_provider

        credential = DefaultAzureCredential()
        self._closing.push_async_callback(credential.close)
        return get_bearer_token_provider(credential, TOKEN_SCOPE)


def _unsendable(endpoint: Endpoint, error: ValueError) -> Outcome:
    """A request that could not be written: for its own text, for the token that came, or for what is configured."""
    if isinstance(error, UnicodeEncodeError) and error.encoding == "utf-8":
        # Half of a pair of surrogates in a message. Headers are encoded as ASCII.
        return Refused(status=0)
    return Failing(why="no-token", lost=False) if _by_identity(endpoint) else Denied(status=0)


def _by_identity(endpoint: Endpoint) -> bool:
    return endpoint.kind == "azure" and endpoint.key is None


def _wants_newer_limit(error: APIStatusError) -> bool:
    if error.status_code != 400 or error.code != "unsupported_parameter":
        return False
    return error.param == _LIMIT or _NEWER_LIMIT in error.message


def _was_sent(error: BaseException | None) -> bool:
    """Whether the model may have got the request: then it may have worked on it."""
    while error is not None:
        if isinstance(error, _NEVER_SENT):
            return False
        error = error.__cause__
    return True
