"""A task's options as the command line gives them. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any


def read_options(document: str | None, pairs: Sequence[str]) -> dict[str, Any]:
    """The options of `--options JSON`, and over them those of each `--option KEY=VALUE`. Raises ValueError."""
    options = {} if document is None else _object(document)
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            raise ValueError(f"--option is {pair[:60]!r}; KEY=VALUE is expected")
        options[key] = value(text)
    return options


def value(text: str) -> Any:
    """The JSON value that the text is, else the text: `beam=5` is a number, `language=en` text, `tag="5"` text too."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except ValueError:
        return text


def _object(document: str) -> dict[str, Any]:
    try:
        found = json.loads(document, parse_constant=_refuse)
    except ValueError as cause:
        raise ValueError(f"--options is {document[:60]!r}, which is no JSON: {cause}") from cause
    if not isinstance(found, dict):
        raise ValueError(f"--options is {document[:60]!r}; a JSON object is expected")
    return found


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")
