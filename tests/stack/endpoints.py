"""Scripted endpoints: model services that answer, or fail, as a test says; and the settings that lead workers there."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import httpx
import pytest

from azure_local_emulators.process import EmulatorProcess
from claimcheck.commands.up.addresses import HOST
from tests.stack.client import ANSWER_S
from tests.stack.ports import free_port

MODEL = "gpt-4o-mini"
ALL_REQUESTS = 20_000

Rule = dict[str, Any]


class ScriptedEndpoint:
    """One endpoint in a process of its own. It keeps its port over restarts."""

    def __init__(
        self,
        *,
        models: Sequence[str] = (MODEL,),
        keys: Sequence[str] = (),
        delay_s: float = 0.0,
        more: Sequence[str] = (),
    ) -> None:
        """`models` may be NAME or NAME=VERSION; `delay_s` is what an answer takes; `more` are further arguments."""
        self.models = [model.partition("=")[0] for model in models]
        self.keys = list(keys)
        port = free_port()
        chosen = [*(f"--model={model}" for model in models), *(f"--key={key}" for key in keys)]
        arguments = [f"--port={port}", f"--delay-s={delay_s}", *chosen, *more]
        self.process = EmulatorProcess("azure_local_emulators.openai", arguments)
        self.url = f"http://{HOST}:{port}"
        # Nothing is verified where there is no TLS, and to load certificates takes 25 ms.
        self._http = httpx.Client(base_url=f"{self.url}/_emulator/", verify=False, timeout=ANSWER_S)

    def start(self) -> None:
        """Start it, without a script."""
        self.process.start()

    def stop(self) -> None:
        """End it; connections to it are refused from then on."""
        self.process.stop()

    def close(self) -> None:
        """End it for good."""
        self._http.close()
        self.process.kill()

    def script(self, *rules: Rule, **rule: Any) -> list[str]:
        """Add rules below those that are there, as mappings or one as keywords; their ids."""
        added = self._http.post("script", json=[*rules, *([rule] if rule else [])])
        assert added.is_success, added.text
        return [each["id"] for each in added.json()]

    def remove(self, *ids: str) -> None:
        """Take rules away."""
        for each in ids:
            self._http.delete(f"script/{each}").raise_for_status()

    def rules(self) -> list[Rule]:
        """The rules, each with how many requests it has `seen` and `struck`."""
        rules: list[Rule] = self._http.get("script").raise_for_status().json()
        return rules

    def clear(self) -> None:
        """Take away every rule, and forget every request."""
        self._http.delete("script").raise_for_status()
        self._http.delete("requests").raise_for_status()

    def requests(self) -> list[dict[str, Any]]:
        """What was asked, oldest first; each with its `body`, `outcome` and `status`."""
        asked: list[dict[str, Any]] = self._report(ALL_REQUESTS)["requests"]
        return asked

    def counts(self) -> dict[str, Any]:
        """`asked`, `under_way`, `most_at_once`, tokens of whole answers, and `outcomes` and `statuses` with counts."""
        return {"outcomes": {}, "statuses": {}, **self._report(0)}

    def answered(self) -> int:
        """Whole answers that were handed over."""
        return int(self.counts()["outcomes"].get("answered", 0))

    def endpoint_settings(self, name: str, **fields: Any) -> dict[str, Any]:
        """It as one of `language.endpoints`; `fields` are those of `claimcheck.settings.Endpoint`."""
        azure = fields.get("kind") == "azure"
        made = {"name": name, "url": self.url if azure else f"{self.url}/v1", "model": self.models[0]}
        return {**made, "key": (self.keys or ["any"])[0], **fields}

    def _report(self, limit: int) -> dict[str, Any]:
        answer = self._http.get("requests", params={"limit": limit}).raise_for_status()
        report: dict[str, Any] = answer.json()
        return report


def variables(*endpoints: Mapping[str, Any]) -> dict[str, str]:
    """The environment that leads workers to these endpoints and to no others."""
    return {"CLAIMCHECK_LANGUAGE__ENDPOINTS": json.dumps(endpoints)}


RunEndpoint = Callable[..., AbstractContextManager[ScriptedEndpoint]]


@contextlib.contextmanager
def serving(**how: Any) -> Iterator[ScriptedEndpoint]:
    """Run one; its arguments are those of `ScriptedEndpoint`. Without a rule inside, and gone after."""
    endpoint = ScriptedEndpoint(**how)
    try:
        endpoint.start()
        yield endpoint
    finally:
        endpoint.close()


@pytest.fixture(scope="session")
def run_endpoint() -> RunEndpoint:
    """Run an endpoint of one's own: `with run_endpoint(models=["a", "b"], delay_s=0.1) as endpoint:`."""
    return serving


@pytest.fixture(scope="module")
def module_endpoint() -> Iterator[ScriptedEndpoint]:
    """An endpoint for a module's system."""
    with serving() as endpoint:
        yield endpoint


@pytest.fixture
def scripted_endpoint(module_endpoint: ScriptedEndpoint) -> Iterator[ScriptedEndpoint]:
    """The module's endpoint, for one test: no rule and no request of another test is there."""
    module_endpoint.clear()
    yield module_endpoint
    module_endpoint.clear()
