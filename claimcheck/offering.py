"""What an installation offers, from its tasks and its settings: never an address, a key or a name of a key. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from claimcheck.model_views import ModelListView, ModelView, TaskView
from claimcheck.settings import Endpoint, LanguageSettings, SpeechSettings
from claimcheck.tasks import Task

OPTION = "model"
"""The option by which a task lets its clients choose one."""


def offered(tasks: Iterable[Task], speech: SpeechSettings, language: LanguageSettings) -> ModelListView:
    """All of it."""
    listed = sorted(tasks, key=lambda task: task.name)
    choices = {task.name: models_for(task, speech, language) for task in listed}
    models = [*_language_models(language.endpoints), *_speech_models(speech)]
    for model in models:
        model.tasks = [name for name, choice in choices.items() if model.id in (choice or ())]
    return ModelListView(data=models, tasks=[_task(task, choices[task.name]) for task in listed])


def models_for(task: Task, speech: SpeechSettings, language: LanguageSettings) -> list[str] | None:
    """The models that the task's options can name; None if they name none."""
    if OPTION not in task.options.model_fields:
        return None
    queues = {stage.queue for stage in task.stages}
    able = [endpoint for endpoint in language.endpoints if task.needs <= endpoint.capabilities]
    asked = [model.id for model in _language_models(able)] if "language" in queues else []
    return [*asked, *(speech.models if "speech" in queues else ())]


def _language_models(endpoints: Sequence[Endpoint]) -> list[ModelView]:
    """Each model once, however many endpoints have it; those first that are asked first."""
    grouped: dict[str, list[Endpoint]] = {}
    for endpoint in sorted(endpoints, key=lambda endpoint: endpoint.priority):
        grouped.setdefault(endpoint.model, []).append(endpoint)
    return [_language_model(name, group) for name, group in grouped.items()]


def _language_model(name: str, endpoints: Sequence[Endpoint]) -> ModelView:
    versions = dict.fromkeys(endpoint.model_version for endpoint in endpoints if endpoint.model_version)
    return ModelView(
        id=name,
        tasks=[],
        version=", ".join(versions) or None,
        capabilities=sorted(frozenset[str]().union(*(endpoint.capabilities for endpoint in endpoints))),
        demonstration=all(endpoint.demonstration for endpoint in endpoints),
    )


def _speech_models(speech: SpeechSettings) -> list[ModelView]:
    return [ModelView(id=name, tasks=[], capabilities=["speech"]) for name in speech.models]


def _task(task: Task, models: list[str] | None) -> TaskView:
    return TaskView(
        name=task.name,
        inputs=list(task.inputs),
        media_types=list(task.media_types),
        formats={name: form.media_type for name, form in task.formats.items()},
        options=task.options.model_json_schema(),
        models=models,
    )
