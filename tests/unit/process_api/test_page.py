"""services/process_api/page.py: what the page may do, and what it is told of the tasks."""

from __future__ import annotations

from typing import Any

import pytest

from claimcheck.settings import DocumentSettings, Endpoint, LanguageSettings, Settings, SpeechSettings, WebSettings
from claimcheck.tasks import catalogue
from services.process_api.page import policy, shown_tasks

SEES = Endpoint(name="sees", url="http://127.0.0.1:1/v1", model="big", capabilities=frozenset({"chat", "vision"}))
SPEAKS = Endpoint(name="speaks", url="http://127.0.0.1:1/v1", model="small", demonstration=True)

STORES: dict[str, Any] = {
    "blobs": {"connection_string": "UseDevelopmentStorage=true"},
    "queue": {"connection_string": "Endpoint=sb://127.0.0.1"},
}


def told(*endpoints: Endpoint, **more: Any) -> dict[str, dict[str, Any]]:
    """What the page is told of each task, by its name."""
    # Without an endpoint the settings would look for one in the environment.
    language = LanguageSettings(endpoints=(SEES,)).model_copy(update={"endpoints": endpoints})
    settings = Settings(**{**STORES, "language": language, **more})
    return {str(task["name"]): task for task in shown_tasks(catalogue(), settings)}


@pytest.mark.parametrize("path", ["", "/status", "/a/b"])
def test_page_may_call_the_status_api_wherever_it_is_mounted(path: str) -> None:
    """A source with a path stands for that very address, and none below it."""
    assert "; connect-src 'self' https://api.example:8443; " in policy(f"https://api.example:8443{path}")


def test_page_shows_pictures_of_its_own_and_of_the_visitors_and_no_others() -> None:
    assert "; img-src 'self' blob:; " in policy("https://api.example")


def test_each_task_offers_the_models_that_can_do_it_and_says_which_are_for_demonstration() -> None:
    tasks = told(SEES, SPEAKS)

    both = [{"name": "big", "demonstration": False}, {"name": "small", "demonstration": True}]
    assert [tasks[name]["models"] for name in ("complete", "describe", "summarize")] == [both, both[:1], both]
    assert [model["name"] for model in tasks["transcribe"]["models"]] == list(SpeechSettings().models)


@pytest.mark.parametrize(
    ("endpoints", "lacking"),
    [((), ["complete", "describe", "summarize"]), ((SPEAKS,), ["describe"]), ((SEES,), [])],
)
def test_a_task_without_a_model_that_could_do_it_is_marked(endpoints: tuple[Endpoint, ...], lacking: list[str]) -> None:
    assert sorted(name for name, task in told(*endpoints).items() if task["lacks_model"]) == lacking


def test_a_tasks_limit_is_that_of_its_worker_unless_uploads_may_have_less() -> None:
    limits = {name: task["max_bytes"] for name, task in told(SEES).items()}
    assert limits["describe"] == DocumentSettings().max_image_bytes
    assert limits["transcribe"] == WebSettings().max_upload_bytes

    small = {name: task["max_bytes"] for name, task in told(SEES, web=WebSettings(max_upload_bytes=1000)).items()}
    assert set(small.values()) == {1000}
