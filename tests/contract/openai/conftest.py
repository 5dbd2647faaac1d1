"""A scripted endpoint, and the unmodified SDK in front of it: OpenAI's clients and Azure's, sync and aio, as one."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

import openai
import pytest

from tests.stack.endpoints import RunEndpoint, ScriptedEndpoint

KEY = "a-key"
MODEL = "gpt-4o"
VERSION = "gpt-4o-2024-11-20"
API_VERSION = "2024-10-21"
ANSWER_S = 30.0


class Caller:
    """One client. It repeats nothing by itself."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.azure = isinstance(client, openai.AzureOpenAI | openai.AsyncAzureOpenAI)

    async def ask(self, content: Any = "Who are you?", **options: Any) -> Any:
        """The answer to one message of a user."""
        options = {"model": MODEL, "messages": [{"role": "user", "content": content}], **options}
        return await done(self.client.chat.completions.create(**options))

    async def stream(self, content: Any = "Who are you?", **options: Any) -> list[Any]:
        """Every chunk of a streamed answer."""
        stream = await self.ask(content, stream=True, **options)
        return [chunk async for chunk in stream] if hasattr(stream, "__aiter__") else list(stream)

    def impatient(self) -> Caller:
        """The same client, which waits half a second for an answer once it has asked."""
        return Caller(self.client.with_options(timeout=openai.Timeout(ANSWER_S, read=0.5)))

    def with_key(self, key: str) -> Caller:
        """The same client with another key."""
        return Caller(self.client.with_options(api_key=key))


async def done(result: Any) -> Any:
    """The result of a call to a sync or an aio client."""
    return await result if inspect.isawaitable(result) else result


def client_of(endpoint: ScriptedEndpoint, kind: str) -> Any:
    """A client of one of four kinds: openai, async-openai, azure, async-azure."""
    options: dict[str, Any] = {"api_key": KEY, "max_retries": 0, "timeout": ANSWER_S}
    if kind.endswith("azure"):
        options |= {"azure_endpoint": endpoint.url, "api_version": API_VERSION}
        return (openai.AsyncAzureOpenAI if kind.startswith("async") else openai.AzureOpenAI)(**options)
    options["base_url"] = f"{endpoint.url}/v1"
    return (openai.AsyncOpenAI if kind.startswith("async") else openai.OpenAI)(**options)


@pytest.fixture(scope="session")
def sessions_endpoint(run_endpoint: RunEndpoint) -> Iterator[ScriptedEndpoint]:
    """One endpoint with a key, a model and what answers call it."""
    with run_endpoint(models=[f"{MODEL}={VERSION}", "gpt-4o-mini"], keys=[KEY, "another-key"]) as endpoint:
        yield endpoint


@pytest.fixture
def endpoint(sessions_endpoint: ScriptedEndpoint) -> Iterator[ScriptedEndpoint]:
    """The endpoint; no test leaves a rule behind."""
    sessions_endpoint.clear()
    yield sessions_endpoint
    sessions_endpoint.clear()


@pytest.fixture(params=["openai", "async-openai", "azure", "async-azure"])
async def caller(request: pytest.FixtureRequest, endpoint: ScriptedEndpoint) -> AsyncIterator[Caller]:
    """Each test that calls runs with every client."""
    client = client_of(endpoint, request.param)
    yield Caller(client)
    await done(client.close())


@pytest.fixture(params=["async-openai", "async-azure"])
async def service(request: pytest.FixtureRequest, endpoint: ScriptedEndpoint) -> AsyncIterator[Caller]:
    """One client of each service, for what does not depend on the client."""
    client = client_of(endpoint, request.param)
    yield Caller(client)
    await client.close()


@pytest.fixture
async def openai_only(endpoint: ScriptedEndpoint) -> AsyncIterator[Caller]:
    """OpenAI's client, for what depends on neither."""
    client = client_of(endpoint, "async-openai")
    yield Caller(client)
    await client.close()
