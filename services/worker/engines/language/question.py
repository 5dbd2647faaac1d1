"""What a model is asked, and what it answered. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from claimcheck.language import Asked, Call
from claimcheck.settings import Capability

Message = Mapping[str, Any]
"""One message of the chat protocol: `role` and `content`, which is a text or a list of parts."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question to whichever endpoint can answer it."""

    name: str
    """Which question of its stage: its answers are kept under this name, so it must be the same in each delivery."""
    messages: Sequence[Message]
    needs: frozenset[Capability] = field(default=frozenset({"chat"}))
    """What an endpoint must be able to do. A schema alone needs no `json`: answers are checked here anyway."""
    model: str | None = None
    """Only endpoints of this model, if the client has pinned one."""
    max_output_tokens: int | None = None
    """None: the installation's default."""
    temperature: float | None = None
    json_schema: Mapping[str, Any] | None = None
    """The answer has to be JSON of this schema."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What came of a question."""

    call: Call
    """The request whose answer counts."""
    data: Any = None
    """The answer as JSON, if a schema was given."""
    asked: Asked
    """Everything that was asked for it, for the usage."""
