"""claimcheck/offering.py: what `GET /v1/models` tells of an installation, and what it does not."""

from __future__ import annotations

from typing import Any

from pydantic import SecretStr

from claimcheck.model_views import ModelListView, TaskView
from claimcheck.offering import offered
from claimcheck.settings import Endpoint, LanguageSettings, SpeechSettings
from claimcheck.tasks import catalogue

CAN_SEE = frozenset({"chat", "vision", "json"})


def endpoint(name: str, model: str, **other: Any) -> Endpoint:
    """An endpoint with secrets."""
    secrets: dict[str, Any] = {"url": "https://SECRET.example/v1", "key": SecretStr("SECRET"), "deployment": "SECRET"}
    return Endpoint(name=name, model=model, **{**secrets, **other})


def listed(*endpoints: Endpoint, speech: SpeechSettings | None = None) -> ModelListView:
    """What is offered with these endpoints."""
    return offered(catalogue().values(), speech or SpeechSettings(), LanguageSettings(endpoints=endpoints))


def task(found: ModelListView, name: str) -> TaskView:
    """One of the tasks."""
    return next(task for task in found.tasks if task.name == name)


def test_model_is_listed_once_in_the_order_of_priority_with_all_that_its_endpoints_can() -> None:
    found = listed(
        endpoint("spare", "small", priority=5),
        endpoint("east", "large", priority=1, model_version="2024-11-20"),
        endpoint("west", "large", priority=0, capabilities=CAN_SEE, model_version="2025-01-31"),
    )
    large, small, *speech = found.data
    assert (large.id, large.version, large.capabilities) == (
        "large",
        "2025-01-31, 2024-11-20",
        ["chat", "json", "vision"],
    )
    assert large.tasks == ["complete", "describe", "summarize"]
    assert (small.id, small.version, small.tasks) == ("small", None, ["complete", "summarize"])
    assert [(model.id, model.tasks) for model in speech] == [("tiny.en", ["transcribe"]), ("base", ["transcribe"])]


def test_task_names_the_models_that_can_do_it() -> None:
    found = listed(endpoint("a", "small"), endpoint("b", "large", capabilities=CAN_SEE))
    assert {name: task(found, name).models for name in ("complete", "describe", "summarize", "transcribe")} == {
        "complete": ["small", "large"],
        "describe": ["large"],
        "summarize": ["small", "large"],
        "transcribe": ["tiny.en", "base"],
    }


def test_task_that_no_model_can_do_says_so_and_one_that_names_none_does_not() -> None:
    found = listed()
    assert task(found, "describe").models == []
    assert task(found, "probe").models is None


def test_task_says_all_that_a_page_must_know_of_it() -> None:
    complete = task(listed(), "complete")
    assert complete.inputs == ["file", "text", "messages"]
    assert "text/*" in complete.media_types
    assert complete.formats == {"json": "application/json", "txt": "text/plain; charset=utf-8"}
    assert set(complete.options["properties"]) == {"model", "max_output_tokens", "temperature", "json_schema"}


def test_demonstration_is_said_of_a_model_that_has_no_other_endpoint() -> None:
    toy, mixed = endpoint("a", "toy", demonstration=True), endpoint("b", "mixed", demonstration=True)
    found = {model.id: model.demonstration for model in listed(toy, mixed, endpoint("c", "mixed")).data}
    assert (found["toy"], found["mixed"], found["base"]) == (True, False, False)


def test_no_address_no_key_and_no_path_is_told() -> None:
    found = listed(endpoint("a", "m"), speech=SpeechSettings(model="/srv/SECRET", models=("base",)))
    assert "SECRET" not in found.model_dump_json()
