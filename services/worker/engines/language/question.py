"""What a model is asked, and what it answered. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from claimcheck.language import Asked, Call
from claimcheck.settings import Capability

Message = Mapping[str, Any]
"""One message of the chat protocol: `role` and `content`, which is a text or a list of parts."""


CHAT: frozenset[Capability] = frozenset({"chat"})


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question to whichever endpoint can answer it."""

    name: str
    """Which question of its stage: its answers are kept under this name, so it must be the same in each delivery."""
    messages: Sequence[Message]
    needs: frozenset[Capability] = CHAT
    """What an endpoint must be able to do. A schema alone needs no `json`: answers are checked here anyway."""
    model: str | None = None
    """Only endpoints of this model, if the client has pinned one."""
    max_output_tokens: int | None = None
    """None: the installation's default."""
    temperature: float | None = None
    divisible: bool = False
    """Whoever asks will ask about halves of it if it is too long, and waits for no larger endpoint that has failed."""
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


def shown(messages: Sequence[Message]) -> list[Message]:
    """The messages as a log may hold them: of an image its media type and its size, since its data has megabytes."""
    return [{**message, "content": _content_shown(message.get("content"))} for message in messages]


def _content_shown(content: object) -> object:
    if not isinstance(content, list):
        return content
    return [_part_shown(part) if isinstance(part, Mapping) else part for part in content]


def _part_shown(part: Mapping[str, Any]) -> Mapping[str, Any]:
    image = part.get("image_url")
    if not (isinstance(image, Mapping) and str(image.get("url")).startswith("data:")):
        return part
    kind, _, data = str(image["url"])[len("data:") :].partition(",")
    size_bytes = len(data) * 3 // 4 - data[-2:].count("=")
    return {**part, "image_url": {**image, "url": f"{kind.removesuffix(';base64')}, {size_bytes:,} bytes"}}
