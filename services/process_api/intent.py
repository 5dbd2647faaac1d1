"""What a request asks for, each bit checked as soon as it is known: before gigabytes are streamed for nothing. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from claimcheck import strict_json
from claimcheck.errors import InvalidOptions
from claimcheck.tasks import Task, find_task
from services.process_api.content import media_type_of

DEFAULT_TASK = "transcribe"
IMAGE_TASK = "describe"


def task_for(media_type: str) -> str:
    """Name of the task for a file of this type when nobody named one; without a type it is taken for a recording."""
    return IMAGE_TASK if media_type.lower().startswith("image/") else DEFAULT_TASK


def read_options(text: str) -> Mapping[str, Any]:
    """The `options` of a request; none if it is empty. Raises InvalidOptions."""
    try:
        options = strict_json.parse(text or "{}")
    except ValueError as cause:
        raise InvalidOptions(f"options are no JSON: {cause}") from cause
    if not isinstance(options, dict):
        raise InvalidOptions(f"options are a JSON {type(options).__name__}; an object is expected")
    return options


@dataclass(frozen=True)
class Order:
    """What a request asks for, all of it checked."""

    task: Task
    options: dict[str, Any]
    name: str
    """The file's, to show."""
    media_type: str
    input_of: str | None = None
    """The earlier job whose text is the input."""


class Intent:
    """What a request asks for, as far as it is known."""

    def __init__(self, default_task: str) -> None:
        """`default_task`: for a request that names none; empty: by content."""
        self._default_task = default_task
        self._fields: Mapping[str, str] = {}
        self._task: Task | None = None
        self._options: Mapping[str, Any] = {}
        self._name, self._media_type, self._known_by = "", "", ""

    def tell(self, fields: Mapping[str, str]) -> None:
        """The fields that have come so far. Raises UnknownTask, InvalidOptions, InputNotTaken, UnsupportedMedia."""
        if len(fields) == len(self._fields):
            return
        self._fields = dict(fields)
        self._options = read_options(fields.get("options", ""))
        if fields.get("task"):
            self._task = find_task(fields["task"])
            self._check(self._task)

    def see(self, head: bytes, *, whole: bool, claim: str, name: str) -> None:
        """The file's first bytes, its claimed type and its name. Raises UnsupportedMedia."""
        self._name = name
        self._media_type, self._known_by = media_type_of(head, whole=whole, claim=claim, name=name)
        if self._task is not None:
            self._check(self._task)

    def settled(self) -> Order:
        """The request has ended. Raises UnknownTask, InvalidOptions, InputNotTaken, UnsupportedMedia."""
        task = self._task or find_task(self._default_task or task_for(self._media_type))
        self._check(task)
        return Order(task, task.validated(self._options), self._name, self._media_type)

    def _check(self, task: Task) -> None:
        task.check_input("file")
        if "options" in self._fields:
            task.validated(self._options)
        task.check_media_type(self._media_type, known_by=self._known_by)
