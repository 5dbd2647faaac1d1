"""One system whose models are scripted, for every test of a task that asks them."""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import httpx
import pytest
from PIL import Image

from tests.conftest import RunSystem
from tests.stack.client import Body, Client
from tests.stack.endpoints import RunEndpoint, ScriptedEndpoint, variables
from tests.stack.names import NameStock
from tests.stack.services import Services
from tests.stack.stores import Stores
from tests.stack.system import System

SEEING, SMALL = "gpt-4o-mini", "small"
VERSION = "gpt-4o-mini-2024-07-18"
CONTEXT_TOKENS = 128_000  # Said of both, so that neither is asked what was too long for the other.
INPUT_PRICE, OUTPUT_PRICE = 1.0, 2.0  # of a million tokens
KEY = "sk-the-endpoint-keeps-this-key-to-itself"
WINDOW_TOKENS = 300
PROMPT_BYTES = 4096
TEXT_CHARS = 20_000
IMAGE_BYTES = 60_000
ENDED_S = 60.0

FENCED = re.compile(r"BEGIN ([0-9a-f]{16})\n(.*)\nEND \1", re.DOTALL)

SETTINGS = {
    "CLAIMCHECK_LANGUAGE__SLOTS": "4",
    "CLAIMCHECK_LANGUAGE__WINDOW_TOKENS": str(WINDOW_TOKENS),
    "CLAIMCHECK_LANGUAGE__MAX_PROMPT_BYTES": str(PROMPT_BYTES),
    "CLAIMCHECK_LANGUAGE__MAX_TEXT_CHARS": str(TEXT_CHARS),
    "CLAIMCHECK_LANGUAGE__REST_FIRST_S": "0.2",
    "CLAIMCHECK_DOCUMENTS__MAX_IMAGE_BYTES": str(IMAGE_BYTES),
    "CLAIMCHECK_JOB__BACKOFF_FIRST_S": "0.2",
    "CLAIMCHECK_QUEUE__RENEW_S": "1",  # Often: a lease that is lost asks a model twice.
    # All that could be said is said, so that what must not be said is looked for in all of it.
    "CLAIMCHECK_LOG__LEVEL": "DEBUG",
}


@dataclass(frozen=True)
class Workplace:
    """A system, its client, what it stores, and the service that its models are at."""

    system: System
    client: Client
    stores: Stores
    endpoint: ScriptedEndpoint

    def post(self, task: str, given: Mapping[str, Any], **options: Any) -> httpx.Response:
        """Whatever `POST /v1/jobs` answers to this input."""
        return self.client.process.post("/v1/jobs", json={"task": task, "input": dict(given), "options": options})

    def ask(self, task: str, given: Mapping[str, Any], **options: Any) -> Body:
        """The job with this input, once it has ended."""
        accepted = self.post(task, given, **options)
        assert accepted.status_code == httpx.codes.ACCEPTED, accepted.text
        return self.client.until_ended(accepted.json()["id"], deadline_s=ENDED_S)

    def hand_in(self, task: str, content: bytes, media_type: str, **options: Any) -> Body:
        """The job with this file, once it has ended."""
        job_id = self.client.submit(content, task=task, media_type=media_type, name="upload", options=options)
        return self.client.until_ended(job_id, deadline_s=ENDED_S)

    def asked(self) -> list[list[Body]]:
        """The messages of each request that the models got, oldest first."""
        return [request["body"]["messages"] for request in self.endpoint.requests()]

    def logs(self) -> str:
        """What all programs have said."""
        return "".join(program.output() for program in self.system.programs.values())


class RunWorkplace(Protocol):
    """`with run_workplace(endpoint, env={...}) as workplace:`"""

    def __call__(
        self, endpoint: ScriptedEndpoint, *endpoints: Mapping[str, Any], env: Mapping[str, str] | None = None
    ) -> AbstractContextManager[Workplace]:
        """A system that is ready inside and gone after; `endpoints`: as settings have them."""


@pytest.fixture(scope="session")
def run_workplace(run_system: RunSystem, services: Services, name_stock: NameStock) -> RunWorkplace:
    """Run a system with one worker of the queue `language`."""

    @contextlib.contextmanager
    def run(
        endpoint: ScriptedEndpoint, *endpoints: Mapping[str, Any], env: Mapping[str, str] | None = None
    ) -> Iterator[Workplace]:
        names = name_stock.take()
        leading = variables(*endpoints)
        with (
            run_system(
                workers=0, language_workers=1, names=names, env={**SETTINGS, **leading, **(env or {})}
            ) as system,
            Client(system.process_url, system.status_url) as client,
        ):
            yield Workplace(system, client, Stores(services, names, "language"), endpoint)

    return run


@pytest.fixture(scope="package")
def running(run_workplace: RunWorkplace, run_endpoint: RunEndpoint) -> Iterator[Workplace]:
    """A model that sees and knows JSON, and a small one that does neither and is asked after it."""
    with run_endpoint(models=[f"{SEEING}={VERSION}", SMALL], keys=[KEY]) as endpoint:
        first = endpoint.endpoint_settings(
            "first",
            capabilities=["chat", "vision", "json"],
            input_price=INPUT_PRICE,
            output_price=OUTPUT_PRICE,
            model_version="2024-07-18",
            context_tokens=CONTEXT_TOKENS,
        )
        second = endpoint.endpoint_settings(
            "second", model=SMALL, capabilities=["chat"], priority=1, context_tokens=CONTEXT_TOKENS
        )
        with run_workplace(endpoint, first, second) as workplace:
            yield workplace


@pytest.fixture
def workplace(running: Workplace) -> Iterator[Workplace]:
    """The same for one test: no rule and no request of another one is there."""
    running.endpoint.clear()
    yield running
    running.endpoint.clear()


@pytest.fixture(scope="session")
def picture() -> bytes:
    """A JPEG of 600 x 400."""
    target = io.BytesIO()
    Image.new("RGB", (600, 400), "teal").save(target, "JPEG")
    return target.getvalue()


def succeeded(job: Body) -> Body:
    """The result of a job that has succeeded."""
    assert job["status"] == "succeeded", job
    result: Body = job["result"]
    return result


def failed(job: Body, slug: str) -> str:
    """The detail of the problem of a job that has failed of this."""
    assert job["status"] == "failed", job
    assert job["error"]["type"] == f"urn:claimcheck:problem:{slug}", job["error"]
    detail: str = job["error"]["detail"]
    return detail


def inside(message: Body) -> str:
    """The content of a message that is fenced and holds nothing else."""
    assert message["role"] == "user"
    found = FENCED.fullmatch(message["content"])
    assert found is not None, "the content is not fenced"
    return found.group(2)


def chat_bytes(*messages: Body) -> bytes:
    """A chat as a file."""
    return json.dumps({"messages": messages}).encode()
