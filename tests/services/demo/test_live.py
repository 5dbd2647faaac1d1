"""Jobs that the real demonstration model answers, through the real client. How well it answers is nobody's promise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from claimcheck import demonstration
from tests.conftest import RunSystem
from tests.stack.client import Body, Client
from tests.stack.demonstration import DemonstrationModel

ANSWERED_S = 60.0  # a core that others use too reads 30 tokens a second
FEW_TOKENS = 16


@pytest.fixture(scope="module")
def client(run_system: RunSystem, demo_model: DemonstrationModel) -> Iterator[Client]:
    """A client of a system whose only endpoint is the demonstration model."""
    env = {
        **demo_model.variables(),
        "CLAIMCHECK_LANGUAGE__MAX_OUTPUT_TOKENS": str(FEW_TOKENS),
        "CLAIMCHECK_QUEUE__RENEW_S": "1",  # Often: a lease that is lost asks the model twice.
    }
    with (
        run_system(workers=0, language_workers=1, env=env) as system,
        Client(system.process_url, system.status_url) as client,
    ):
        yield client


def ended(client: Client, task: str, given: dict[str, Any], **options: Any) -> Body:
    """A job with this input, at its end."""
    answer = client.process.post("/v1/jobs", json={"task": task, "input": given, "options": options})
    assert answer.status_code == httpx.codes.ACCEPTED, answer.text
    return client.until_ended(answer.json()["id"], deadline_s=ANSWERED_S)


def assert_of_the_demonstration_model(job: Body) -> None:
    assert job["status"] == "succeeded", job
    result = job["result"]
    assert result["text"]
    assert result["demonstration"] is True
    assert result["model"] == demonstration.NAME
    (usage,) = result["usage"]["endpoints"]
    assert (usage["endpoint"], usage["requests"], usage["cost"]) == ("demo", 1, None)
    assert usage["input_tokens"] > 0
    assert usage["output_tokens"] > 0
    assert result["usage"]["lost_requests"] == 0


def test_complete_succeeds_and_is_labelled_with_its_tokens_counted(client: Client) -> None:
    job = ended(client, "complete", {"text": "What is the capital of France?"})

    assert_of_the_demonstration_model(job)
    assert job["result"]["usage"]["output_tokens"] <= FEW_TOKENS


def test_summarize_of_a_short_text_is_labelled_too(client: Client) -> None:
    text = "The bridge needs repair before winter. The town pays half of it, and the county the rest."

    assert_of_the_demonstration_model(ended(client, "summarize", {"text": text}, max_words=10))  # 30 tokens at most


def test_prompt_beyond_the_context_fails_at_once_and_says_so(client: Client) -> None:
    job = ended(client, "complete", {"text": "over and over " * demonstration.CONTEXT_TOKENS})

    assert job["status"] == "failed"
    assert job["attempt"] == 1
    assert job["error"]["type"] == "urn:claimcheck:problem:context-too-long"


def test_models_are_listed_with_what_they_are_good_for(client: Client) -> None:
    listed = client.status.get("/v1/models").json()
    (model,) = [model for model in listed["data"] if model["id"] == demonstration.NAME]

    assert model["demonstration"] is True
    assert set(model["tasks"]) == {"complete", "summarize"}
    (describe,) = [task for task in listed["tasks"] if task["name"] == "describe"]
    assert describe["models"] == []
