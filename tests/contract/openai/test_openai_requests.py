"""What the endpoint notes of what it was asked, and what a request costs it."""

from __future__ import annotations

import asyncio
import contextlib
import json

import httpx
import openai
import psutil
import pytest

from azure_local_emulators.openai.seen import KEPT_BODY_BYTES
from tests.contract.openai.conftest import KEY, MODEL, Caller
from tests.stack.endpoints import RunEndpoint, ScriptedEndpoint
from tests.stack.waiting import eventually

PATH = "v1/chat/completions"


async def test_every_request_is_noted_with_how_it_ended(caller: Caller, endpoint: ScriptedEndpoint) -> None:
    for status in (429, 500):
        endpoint.script(action="fail", status=status, times=1)
    endpoint.script(action="truncate", times=1)
    for _ in range(3):
        with pytest.raises(openai.APIError):
            await caller.ask()
    answer = await caller.ask("And now?")

    ended = [(request["outcome"], request["status"]) for request in endpoint.requests()]
    assert ended == [("refused", 429), ("refused", 500), ("broken", 200), ("answered", 200)]
    counts = endpoint.counts()
    assert counts["outcomes"] == {"refused": 2, "broken": 1, "answered": 1}
    assert counts["prompt_tokens"] == answer.usage.prompt_tokens
    assert counts["completion_tokens"] == answer.usage.completion_tokens


async def test_a_request_is_noted_with_who_asked_what(caller: Caller, endpoint: ScriptedEndpoint) -> None:
    await caller.ask("And now?", temperature=0.5)

    [request] = endpoint.requests()
    assert request["body"]["messages"] == [{"role": "user", "content": "And now?"}]
    assert request["body"]["temperature"] == 0.5
    assert (request["model"], request["key"], request["azure"]) == (MODEL, KEY, caller.azure)
    assert request["headers"]["x-stainless-retry-count"] == "0"
    assert request["api_version"] == ("2024-10-21" if caller.azure else "")


async def test_a_wrong_key_is_noted_and_never_shown(openai_only: Caller, endpoint: ScriptedEndpoint) -> None:
    with pytest.raises(openai.AuthenticationError):
        await openai_only.with_key("a-secret-of-somebody").ask()

    assert [request["key"] for request in endpoint.requests()] == [""]
    assert "a-secret-of-somebody" not in json.dumps(endpoint.requests())


async def test_requests_under_way_are_counted(openai_only: Caller, endpoint: ScriptedEndpoint) -> None:
    endpoint.script(action="hang")
    waiting = [asyncio.create_task(openai_only.ask()) for _ in range(20)]

    async def under_way(count: int) -> bool:
        return bool(endpoint.counts()["under_way"] == count)

    await eventually(lambda: under_way(20), "all have come")
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await eventually(lambda: under_way(0), "all have left")

    counts = endpoint.counts()
    assert (counts["most_at_once"], counts["asked"], counts["outcomes"]) == (20, 20, {"left": 20})


async def test_forgotten_requests_are_counted_nowhere(openai_only: Caller, endpoint: ScriptedEndpoint) -> None:
    await openai_only.ask()
    endpoint.script(action="hang")
    waiting = asyncio.create_task(openai_only.ask())

    async def under_way() -> bool:
        return bool(endpoint.counts()["under_way"])

    await eventually(under_way, "the request has come")
    endpoint.clear()
    waiting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await waiting
    await openai_only.ask()

    counts = endpoint.counts()
    assert (counts["asked"], counts["under_way"], counts["outcomes"]) == (1, 0, {"answered": 1})


def test_bodies_are_forgotten_before_they_fill_the_memory(run_endpoint: RunEndpoint) -> None:
    text = "x" * (KEPT_BODY_BYTES // 4)
    body = {"model": MODEL, "messages": [{"role": "user", "content": text}]}
    with (
        run_endpoint(models=[MODEL], more=[f"--context-tokens={KEPT_BODY_BYTES}"]) as endpoint,
        httpx.Client(base_url=endpoint.url, verify=False) as client,
    ):
        for _ in range(5):
            client.post(PATH, json=body).raise_for_status()
        kept = [request["body"] is not None for request in endpoint.requests()]

    assert kept == [False, False, True, True, True]


async def test_a_request_costs_less_than_two_milliseconds_of_cpu(run_endpoint: RunEndpoint) -> None:
    requests, at_once = 2000, 20
    body = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "hello"}]}).encode()
    headers = b"content-type: application/json\r\nhost: localhost\r\ncontent-length: %d\r\n" % len(body)
    message = b"POST /v1/chat/completions HTTP/1.1\r\n" + headers + b"\r\n" + body

    async def ask_many(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(requests // at_once):
            writer.write(message)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]))
        writer.close()
        await writer.wait_closed()

    with run_endpoint(models=[MODEL]) as endpoint:
        process = psutil.Process(endpoint.process.pid)
        before = process.cpu_times()
        await asyncio.gather(*(ask_many(endpoint.process.ports["http"]) for _ in range(at_once)))
        after = process.cpu_times()
        assert endpoint.answered() == requests

    spent_s = after.user + after.system - before.user - before.system
    assert spent_s / requests < 0.002, f"{spent_s / requests * 1000:.2f} ms for a request; 0.15 on an idle machine"
