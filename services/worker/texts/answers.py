"""From a model's reply to what a result says. Pure."""

from __future__ import annotations

import json
from typing import Any

from claimcheck.language import ResultWarning, usage_of
from services.worker.engines.language import Reply

CUT_OFF = "length"  # the finish reason of an answer that reached its longest
NO_TEXT = "the model's answer has no text"


def text_of(reply: Reply) -> str:
    """The answer: as it is, or its JSON as text."""
    return reply.call.text if reply.data is None else json.dumps(reply.data, ensure_ascii=False)


def has_text(text: str) -> bool:
    """Whether anything of it can be seen. A model that thinks first may end with an answer that is empty, or blank."""
    return bool(text.strip())


def remarks(reply: Reply, text: str) -> list[ResultWarning]:
    """What there is to say of an answer, with this text, that is a result by itself."""
    empty = ResultWarning(slug="answer-empty", detail=NO_TEXT)
    return [*cut_off(reply), *([] if has_text(text) else [empty])]


def cut_off(reply: Reply, *, what: str = "the answer", part: int | None = None) -> list[ResultWarning]:
    """A warning if the answer stopped because it was as long as it may be."""
    if reply.call.finish_reason != CUT_OFF:
        return []
    detail = f"{what} was cut off after {reply.call.output_tokens:,} tokens, the most that it may have"
    return [ResultWarning(slug="answer-truncated", detail=detail, part=part)]


def said(reply: Reply, *, currency: str) -> dict[str, Any]:
    """What every result says of a reply that is the only one of its job."""
    return {
        "text": text_of(reply),
        "model": reply.call.model,
        "demonstration": reply.call.demonstration,
        "usage": usage_of([reply.asked], currency=currency),
    }
