"""`GET /v1/models`: what the installation offers, for our own clients and for OpenAI's."""

from __future__ import annotations

import httpx
import openai
import pytest

from claimcheck.model_views import ModelListView
from tests.services.status_api.conftest import KEYS, OPERATOR_KEY
from tests.stack.client import ANSWER_S, Client
from tests.stack.system import System


def test_models_are_listed_with_tasks_versions_and_capabilities(client: Client) -> None:
    answer = client.status.get("/v1/models")
    assert answer.status_code == 200
    found = ModelListView.model_validate(answer.json())
    assert [(model.id, model.version, model.demonstration) for model in found.data[:2]] == [
        ("sees", "2024-11-20", False),
        ("toy", None, True),
    ]
    tasks = {task.name: task for task in found.tasks}
    assert tasks["describe"].models == ["sees"]
    assert tasks["complete"].models == ["sees", "toy"]
    assert tasks["summarize"].inputs == ["file", "text", "job_id"]
    assert tasks["transcribe"].media_types[0] == "audio/*"


def test_no_address_and_no_key_of_an_endpoint_is_told(client: Client) -> None:
    text = client.status.get("/v1/models").text
    assert not [secret for secret in ("SECRET", "http://", "https://", "east", "local") if secret in text]


def test_models_need_a_key(running: System) -> None:
    for headers in ({}, {"X-API-Key": "wrong"}, {"X-API-Key": OPERATOR_KEY}):
        assert httpx.get(f"{running.status_url}/v1/models", headers=headers, timeout=ANSWER_S).status_code == 401


def test_page_may_read_them(running: System) -> None:
    headers = {"Origin": running.process_url, "X-API-Key": KEYS["acme"]}
    answer = httpx.get(f"{running.status_url}/v1/models", headers=headers, timeout=ANSWER_S)
    assert answer.headers["access-control-allow-origin"] == running.process_url
    assert answer.headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize("tenant", ["acme", "rival"])
def test_clients_of_openai_list_them(running: System, tenant: str) -> None:
    with openai.OpenAI(base_url=f"{running.status_url}/v1", api_key=KEYS[tenant], max_retries=0) as client:
        found = list(client.models.list())
    assert [(model.id, model.object, model.created, model.owned_by) for model in found][:2] == [
        ("sees", "model", 0, "claimcheck"),
        ("toy", "model", 0, "claimcheck"),
    ]


def test_clients_of_openai_with_a_wrong_key_are_told_so(running: System) -> None:
    with (
        openai.OpenAI(base_url=f"{running.status_url}/v1", api_key="wrong", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.models.list()
