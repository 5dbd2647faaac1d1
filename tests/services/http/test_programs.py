"""What the two programs serve beside jobs: health, documentation, the page, and to whom."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import httpx
import pytest

from claimcheck.settings import environment_for_child
from tests.services.http.conftest import LIMIT_BYTES, ORIGIN
from tests.stack.client import Client
from tests.stack.components import ROOT
from tests.stack.ports import free_port
from tests.stack.services import Services
from tests.stack.stores import Stores
from tests.stack.system import System
from tests.stack.waiting import until


def both(client: Client) -> tuple[httpx.Client, httpx.Client]:
    """The two APIs."""
    return client.process, client.status


def is_ready(api: httpx.Client) -> bool:
    """Whether it says so. It looks at its dependencies every 2 s, and some test before may have stopped one."""
    ready = api.get("/readyz")
    assert ready.status_code == 200
    return bool(ready.json() == {"status": "ready", "degraded": []})


def test_both_are_alive_and_ready(client: Client) -> None:
    for api in both(client):
        assert api.get("/healthz").json() == {"status": "alive"}
        until(partial(is_ready, api), "it is ready, and found well when it looked last")


def test_both_describe_themselves(client: Client) -> None:
    routes = [set(api.get("/openapi.json").json()["paths"]) for api in both(client)]
    assert routes[0] >= {"/v1/jobs", "/api/process", "/healthz", "/readyz"}
    assert routes[1] >= {"/v1/jobs/{job_id}", "/v1/jobs/{job_id}/result", "/v1/operations/{job_id}"}
    for api in both(client):
        assert api.get("/docs").status_code == 200


def test_documentation_loads_nothing_from_elsewhere(client: Client) -> None:
    for api in both(client):
        page = api.get("/docs").text
        loaded = re.findall(r'(?:src|href)="([^"]+)"', page)
        assert loaded, page
        for address in loaded:
            assert address.startswith("/"), address
            assert api.get(address).status_code == 200


def test_probes_may_ask_for_the_head_alone(client: Client) -> None:
    for api in both(client):
        assert [api.head(path).status_code for path in ("/healthz", "/readyz")] == [200, 200]


def test_no_answer_may_be_kept_by_a_shared_cache(client: Client) -> None:
    job_id = client.submit()
    client.until_ended(job_id)
    answers = [
        client.post(),
        client.post(task="none"),
        client.cancel(job_id),
        *(client.status.get(f"{path}/{job_id}") for path in ("/v1/jobs", "/v1/operations", "/api/status")),
        client.status.get(f"/v1/jobs/{job_id}/result"),
        client.status.get("/v1/jobs"),
    ]
    assert {answer.headers["cache-control"] for answer in answers} == {"private, no-cache"}


def test_description_says_what_a_submission_holds(client: Client) -> None:
    described = client.process.get("/openapi.json").json()["paths"]["/v1/jobs"]["post"]
    form = described["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert set(form["properties"]) == {"file", "task", "options"}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_listed_origin_may_call(client: Client, method: str) -> None:
    for api in both(client):
        asked = {"Origin": ORIGIN, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": "x-a"}
        allowed = api.options("/v1/jobs", headers=asked)
        assert allowed.status_code == 200
        assert allowed.headers["access-control-allow-origin"] == ORIGIN
        assert method in allowed.headers["access-control-allow-methods"]
        assert "access-control-allow-credentials" not in allowed.headers


def test_listed_origin_may_read_the_headers_it_needs(client: Client) -> None:
    answer = client.post(headers={"Origin": ORIGIN})
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    exposed = set(re.split(r",\s*", answer.headers["access-control-expose-headers"]))
    assert exposed >= {"Location", "Operation-Location", "Retry-After", "ETag"}


def test_listed_origin_may_read_a_problem(client: Client) -> None:
    answer = client.status.get("/v1/jobs/unknown", headers={"Origin": ORIGIN})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (404, ORIGIN)


def test_foreign_origin_may_not(client: Client) -> None:
    foreign = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    for api in both(client):
        assert "access-control-allow-origin" not in api.options("/v1/jobs", headers=foreign).headers
        assert "access-control-allow-origin" not in api.get("/healthz", headers=foreign).headers


def test_page_runs_no_script_but_its_own(client: Client, running: System) -> None:
    page = client.process.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert f"connect-src 'self' {running.status_url}" in policy
    assert "unsafe" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"


def test_everything_the_page_names_is_there(client: Client) -> None:
    named = re.findall(r'(?:src|href)="(/?[\w./-]+)"', client.process.get("/").text)
    assert named
    for path in named:
        assert client.process.get(path).status_code == 200, path


def test_page_does_not_serve_what_lies_beside_it(client: Client) -> None:
    for path in ("/../pyproject.toml", "/%2e%2e/pyproject.toml", "/..%2fpyproject.toml"):
        assert client.process.get(path).status_code == 404


def test_page_learns_about_the_installation(client: Client, running: System) -> None:
    known = client.process.get("/page.json").json()
    assert (known["status_url"], known["max_upload_bytes"]) == (running.status_url, LIMIT_BYTES)
    tasks = {task["name"]: task for task in known["tasks"]}
    assert list(tasks) == ["complete", "describe", "fan", "probe", "summarize", "transcribe"]
    assert tasks["describe"]["lacks_model"]
    assert "en" in known["languages"]


@pytest.mark.parametrize("program", ["process_api", "status_api"])
def test_program_refuses_to_serve_strangers_without_being_told(
    services: Services, stores: Stores, program: str, tmp_path: Path
) -> None:
    ended = run(program, services.variables(stores.names) | {"CLAIMCHECK_WEB__HOST": "0.0.0.0"})
    assert ended.returncode == 1
    assert "CLAIMCHECK_WEB__HOST is 0.0.0.0" in ended.stderr
    assert "CLAIMCHECK_WEB__ALLOW_ANONYMOUS=true" in ended.stderr


def test_program_names_the_setting_that_is_wrong(services: Services, stores: Stores) -> None:
    ended = run("status_api", services.variables(stores.names) | {"CLAIMCHECK_WEB__POLL_S": "0"})
    said = "CLAIMCHECK_WEB__POLL_S: Input should be greater than or equal to 1"
    assert (ended.returncode, ended.stderr) == (2, f"the settings are refused:\n{said}\n")


def run(program: str, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a program that ends by itself."""
    ports = {"CLAIMCHECK_WEB__PROCESS_PORT": str(free_port()), "CLAIMCHECK_WEB__STATUS_PORT": str(free_port())}
    return subprocess.run(
        [sys.executable, "-m", f"services.{program}"],
        cwd=ROOT,
        env=environment_for_child({**variables, **ports}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
