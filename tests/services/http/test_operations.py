"""The job as a status monitor, also for the poller that Azure's own clients use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from azure.core import PipelineClient
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.policies import RequestIdPolicy, RetryPolicy
from azure.core.polling import LROPoller
from azure.core.polling.base_polling import LROBasePolling
from azure.core.rest import HttpRequest

from tests.services.http.conftest import nobody_works
from tests.stack.client import Client
from tests.stack.system import System


def test_monitor_is_200_throughout_and_says_where_the_resource_is(client: Client, running: System) -> None:
    with nobody_works(running):
        answer = client.post()
        monitor, job_id = answer.headers["operation-location"], answer.json()["id"]
        first = client.status.get(monitor)
    assert (first.status_code, first.json()["status"]) == (200, "NotStarted")
    assert int(first.headers["retry-after"]) >= 1
    client.until_ended(job_id)
    last = client.status.get(monitor)
    assert last.status_code == 200
    assert last.json() == {
        "id": job_id,
        "status": "Succeeded",
        "resourceLocation": f"{running.status_url}/v1/jobs/{job_id}",
    }
    assert "retry-after" not in last.headers


def test_monitor_of_a_running_job_says_so(client: Client) -> None:
    job_id = client.submit(options={"seconds": 60})
    client.until_running(job_id)
    answer = client.status.get(f"/v1/operations/{job_id}")
    client.cancel(job_id)
    assert (answer.status_code, answer.json()["status"]) == (200, "Running")
    assert int(answer.headers["retry-after"]) >= 1


def test_monitor_of_a_failed_job_has_a_code_and_a_message(client: Client) -> None:
    job_id = client.submit(options={"do": "refuse"})
    client.until_ended(job_id)
    answer = client.status.get(f"/v1/operations/{job_id}")
    assert (answer.status_code, answer.json()["status"]) == (200, "Failed")
    assert answer.json()["error"] == {"code": "media-unreadable", "message": "the probe was told to refuse"}


def test_monitor_of_a_cancelled_job_says_so(client: Client) -> None:
    job_id = client.submit(options={"seconds": 60})
    assert client.cancel(job_id).status_code == 200
    answer = client.status.get(f"/v1/operations/{job_id}")
    assert (answer.status_code, answer.json()["status"]) == (200, "Canceled")
    assert "retry-after" not in answer.headers
    assert "error" not in answer.json()


@pytest.fixture
def azure(running: System) -> Iterator[PipelineClient[HttpRequest, Any]]:
    """The pipeline that Azure's generated clients are made of."""
    with PipelineClient[HttpRequest, Any](running.process_url, policies=[RequestIdPolicy(), RetryPolicy()]) as azure:
        yield azure


def post(azure: PipelineClient[HttpRequest, Any], running: System, options: str) -> Any:
    """Submit as such a client does."""
    fields = {"task": "probe", "options": options}
    files = {"file": ("a.txt", b"hello", "text/plain")}
    request = HttpRequest("POST", f"{running.process_url}/v1/jobs", data=fields, files=files)
    return azure.send_request(request, _return_pipeline_response=True)


def body(answered: Any) -> Any:
    """What the poller makes of its last answer."""
    return answered.http_response.json()


def test_poller_of_azure_core_follows_a_job_to_its_result(
    azure: PipelineClient[HttpRequest, Any], running: System
) -> None:
    started = post(azure, running, '{"do": "read", "seconds": 0.5}')
    poller: LROPoller[Any] = LROPoller(azure, started, body, LROBasePolling(timeout=0.2))
    job = poller.result(timeout=30)
    assert poller.status() == "Succeeded"
    assert (job["status"], job["result"]["text"]) == ("succeeded", "hello")


def test_poller_of_azure_core_raises_what_a_failed_job_says(
    azure: PipelineClient[HttpRequest, Any], running: System
) -> None:
    started = post(azure, running, '{"do": "refuse"}')
    poller: LROPoller[Any] = LROPoller(azure, started, body, LROBasePolling(timeout=0.2))
    with pytest.raises(HttpResponseError, match="the probe was told to refuse"):
        poller.result(timeout=30)
    assert poller.status() == "Failed"


def test_poller_of_azure_core_ends_with_a_cancelled_job(
    azure: PipelineClient[HttpRequest, Any], running: System, client: Client
) -> None:
    started = post(azure, running, '{"seconds": 60}')
    poller: LROPoller[Any] = LROPoller(azure, started, body, LROBasePolling(timeout=0.2))
    client.cancel(started.http_response.json()["id"])
    with pytest.raises(HttpResponseError, match=r"(?i)canceled"):
        poller.result(timeout=30)
    assert poller.status() == "Canceled"
