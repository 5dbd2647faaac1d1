"""Say what is wrong with the settings: the variable, and what is allowed; never a value that may be a secret."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

REFUSED: Final = 2
"""Exit status of a program whose settings are refused."""

_WRITTEN_AS_JSON = frozenset({"tuple_type", "dict_type", "list_type", "frozen_set_type", "model_type"})

S = TypeVar("S", bound=BaseSettings)


class SettingsRefused(ValueError):
    """A variable has a value that makes no sense. The message has a line for each, and shows no secret."""


class Variables(EnvSettingsSource):
    """The environment. A value that is no JSON where JSON is expected is left as it is, for the check to refuse."""

    def decode_complex_value(self, field_name: str, field: Any, value: Any) -> Any:
        """As JSON, or unchanged: pydantic-settings would name the group alone, and its cause holds the value."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except (ValueError, RecursionError):
            return value


def read(kind: type[S], **given: Any) -> S:
    """The settings of this kind, as the environment and, above it, `given` have them. Raises SettingsRefused."""
    try:
        return kind(**given)
    except ValidationError as cause:
        raise SettingsRefused(said(cause, kind)) from cause


def said(error: ValidationError, kind: type[BaseSettings]) -> str:
    """What is wrong, in a line for each thing; with the value, unless this kind of settings hides its own."""
    return "\n".join(_line(wrong, kind.model_config) for wrong in error.errors(include_url=False))


def place(parts: tuple[int | str, ...]) -> str:
    """Where in a list or mapping, for example `0.key`."""
    return ".".join(map(str, parts))


def why(wrong: ErrorDetails) -> str:
    """What is allowed, in words."""
    if wrong["type"] in _WRITTEN_AS_JSON and isinstance(wrong["input"], str):
        return "its value is no JSON"
    return wrong["msg"].removeprefix("Value error, ")


@contextmanager
def ending_if_refused() -> Iterator[None]:
    """End the program, which is just starting, with the reason on standard error if its settings are refused."""
    try:
        yield
    except SettingsRefused as refusal:
        sys.stderr.write(f"the settings are refused:\n{refusal}\n")
        sys.exit(REFUSED)


def _line(wrong: ErrorDetails, config: SettingsConfigDict) -> str:
    delimiter = config.get("env_nested_delimiter") or ""
    depth = 2 if delimiter else 1
    named, within = wrong["loc"][:depth], wrong["loc"][depth:]
    if len(named) < depth and wrong["type"] == "value_error":
        return why(wrong)  # It is about several settings, and names them.
    name = ((config.get("env_prefix") or "") + delimiter.join(map(str, named))).upper()
    value = "" if config.get("hide_input_in_errors") else f" is {wrong['input']!r}"
    return f"{name}{', ' if within else ''}{place(within)}{value}: {why(wrong)}"
