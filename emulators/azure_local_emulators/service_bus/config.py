"""Read Microsoft's emulator configuration, `Config.json`, so that one file serves this emulator and theirs.

Owns the file's shape; a queue's properties are settings.py's. Topics, sessions and forwarding are refused, not ignored.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .settings import InvalidSettings, QueueSettings


class InvalidConfig(ValueError):
    """The file cannot be used; the message says where and why."""


def read_config(path: Path) -> list[QueueSettings]:
    """The queues of every namespace in the file. Raises InvalidConfig."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as cause:
        raise InvalidConfig(f"{path} cannot be read: {cause.strerror}") from cause
    except ValueError as cause:
        raise InvalidConfig(f"{path} is no JSON: {cause}") from cause
    try:
        return _queues(document)
    except InvalidSettings as cause:
        raise InvalidConfig(f"{path}: {cause}") from cause


def _queues(document: Any) -> list[QueueSettings]:
    # UserConfig.Logging is Microsoft's own; it says nothing about queues.
    found: dict[str, QueueSettings] = {}
    for namespace in _objects(_object(document, "UserConfig"), "Namespaces"):
        if _objects(namespace, "Topics"):
            raise InvalidSettings("Topics is not empty; topics and subscriptions are not supported")
        for queue in _objects(namespace, "Queues"):
            settings = _settings(queue)
            if found.setdefault(settings.name.lower(), settings) is not settings:
                raise InvalidSettings(f"Queues has the name {settings.name!r} twice")
    return list(found.values())


def _settings(queue: dict[str, Any]) -> QueueSettings:
    name = queue.get("Name")
    if not isinstance(name, str):
        raise InvalidSettings(f"Name of a queue is {name!r}; a string is expected")
    return QueueSettings.from_properties(name, _object(queue, "Properties"))


def _object(parent: Any, field: str) -> dict[str, Any]:
    value = parent.get(field, {}) if isinstance(parent, dict) else parent
    if not isinstance(value, dict):
        raise InvalidSettings(f"{field} is {value!r:.60}; an object is expected")
    return value


def _objects(parent: dict[str, Any], field: str) -> list[dict[str, Any]]:
    value = parent.get(field) or []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise InvalidSettings(f"{field} is {value!r:.60}; a list of objects is expected")
    return value
