"""The catalogue of tasks: what each takes, its options, its stages. Imports no model and no handler.

A task is one module that declares a `Task`, named in the entry-point group `claimcheck.tasks`; third parties add
theirs the same way. Handlers are named as `module:function` and imported by workers alone.
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Literal

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from claimcheck.breaches import place_of, why_of
from claimcheck.errors import InputNotTaken, InvalidOptions, UnknownTask, UnsupportedMedia
from claimcheck.messages import NAME

GROUP = "claimcheck.tasks"
UNTYPED = "application/octet-stream"
MAX_PROBLEMS = 20  # Whoever sends ten thousand unknown options need not be told of each.

QueueKind = Literal["media", "speech", "language"]
InputKind = Literal["file", "text", "messages", "job_id"]
Capability = Literal["chat", "vision", "json"]
"""What an endpoint of language models can do and a task may need: `claimcheck.settings` says which endpoint has it."""


@dataclass(frozen=True)
class Stage:
    """One step. `window`: 0 for a step of the whole job, else the most parts of one job on the queue at once (W)."""

    name: str
    queue: QueueKind
    handler: str
    """`module:function`, imported by the worker."""
    window: int = 0

    def __post_init__(self) -> None:
        """Raises ValueError for a stage that no message could name."""
        _check_name("stage", self.name)
        if self.window < 0:
            raise ValueError(f"stage {self.name} has a window of {self.window}; 0 or more is expected")


@dataclass(frozen=True)
class Format:
    """A format of the result. `render` is pure: from the result to text."""

    media_type: str
    render: Callable[[Mapping[str, Any]], str]


JSON = Format("application/json", lambda result: json.dumps(result, ensure_ascii=False))


@dataclass(frozen=True)
class Task:
    """A kind of work."""

    name: str
    media_types: tuple[str, ...]
    """Patterns of what it takes, such as `audio/*`."""
    options: type[BaseModel]
    stages: tuple[Stage, ...]
    formats: Mapping[str, Format] = field(default_factory=lambda: {"json": JSON})
    """Formats in which the result can be had."""
    inputs: tuple[InputKind, ...] = ("file",)
    """What it works on: an upload, or what becomes one: a text or a chat in the request, an earlier job's text."""
    needs: frozenset[Capability] = frozenset()
    """What an endpoint must be able to do for it, if it asks language models: which of them it can name."""

    def __post_init__(self) -> None:
        """Raises ValueError for a task whose jobs could not run: better where it is declared than at its first job."""
        _check_name("task", self.name)
        names = [stage.name for stage in self.stages]
        if not names:
            raise ValueError(f"task {self.name} has 0 stages; at least 1 is expected")
        if len(set(names)) < len(names):
            raise ValueError(f"task {self.name} has the stages {', '.join(names)}; each name may occur once")
        if self.stages[0].window:
            # How many parts there are is for an earlier stage to say.
            raise ValueError(f"stage {names[0]} is the first of {self.name} and has a window; 0 is expected")

    def stage(self, name: str) -> Stage:
        """The stage of that name. Raises KeyError."""
        return {s.name: s for s in self.stages}[name]

    def validated(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options as they are stored, without the absent ones. Raises InvalidOptions with field and reason."""
        try:
            return self.options.model_validate(dict(options)).model_dump(mode="json", exclude_none=True)
        except ValidationError as cause:
            problems = [
                {"option": place_of(error) or "options", "reason": self._reason(error)}
                for error in cause.errors(include_url=False, include_input=False)[:MAX_PROBLEMS]
            ]
            first = problems[0]
            raise InvalidOptions(f"{first['option']}: {first['reason']}", task=self.name, problems=problems) from cause

    def _reason(self, error: ErrorDetails) -> str:
        """Why an option is refused, in the task's own words where it has some."""
        if error["type"] != "extra_forbidden":
            return why_of(error)
        if len(error["loc"]) > 1:
            return "there is no such option"
        return f"the task has no such option; known: {', '.join(sorted(self.options.model_fields)) or 'none'}"

    def check_input(self, kind: str) -> None:
        """Raises InputNotTaken for a kind of input it does not take."""
        if kind not in self.inputs:
            raise InputNotTaken(f"the input is of the kind {kind!r}; {self.name} takes {', '.join(self.inputs)}")

    def check_media_type(self, media_type: str, *, known_by: str) -> None:
        """Raises UnsupportedMedia for a type it does not take. What is untyped may be anything: the worker decides.

        `known_by`: why it is taken for that, for who reads the refusal.
        """
        kind = media_type.partition(";")[0].strip().lower()
        if kind and kind != UNTYPED and not any(fnmatch.fnmatch(kind, pattern) for pattern in self.media_types):
            raise UnsupportedMedia(f"the file is {kind} by {known_by}; {self.name} takes {', '.join(self.media_types)}")


def _check_name(what: str, name: str) -> None:
    if not re.fullmatch(NAME, name):
        raise ValueError(f"the name of a {what} is {name[:80]!r}; it must match {NAME}")


@cache
def catalogue() -> Mapping[str, Task]:
    """Every installed task by name. Raises whatever a broken plug-in raises: better at start than at the first job."""
    tasks = [point.load() for point in entry_points(group=GROUP)]
    for task in tasks:
        if not isinstance(task, Task):
            raise TypeError(f"entry point {GROUP} gave {task!r}, which is no Task")
    return {task.name: task for task in tasks}


def find_task(name: str) -> Task:
    """The task of that name. Raises UnknownTask, naming those there are."""
    tasks = catalogue()
    if name not in tasks:
        raise UnknownTask(f"task is {name[:40]!r}; known: {', '.join(sorted(tasks))}")
    return tasks[name]
