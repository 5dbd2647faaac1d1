"""Say what follows from the answers that a question has: it is done, or whom to ask next, and how. Pure.

An answer that breaks its schema is repaired once, by the endpoint that gave it; then another one is asked.
"""

from __future__ import annotations

import json
import string
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from claimcheck import strict_json
from claimcheck.answer_schema import MAX_LEVELS, why_invalid
from claimcheck.errors import AnswerInvalid, ContentRefused
from claimcheck.language import Call
from services.worker.engines.language.question import Message, Question

REFUSAL = "refusal"
"""Finish reason, of our own, of an answer that is the model's refusal to give one of the schema."""
FILTERED = "content_filter"
ANSWERS_EACH = 2
"""Answers of one endpoint that may break the schema: the first, and its repair."""

UNKEPT = (
    "the answer is no JSON that can be kept: every name once in its object, numbers finite and integers below 2**53,"
    f" whole characters, at most {MAX_LEVELS} levels"
)

_FENCE = "```"


@dataclass(frozen=True)
class Done:
    """This answer counts. `data`: the answer as JSON, if a schema was given."""

    call: Call
    data: Any = None


@dataclass(frozen=True)
class Ask:
    """One of these endpoints is to be asked; `prefer` first, to repair its own answer."""

    among: tuple[str, ...]
    prefer: str | None = None


def judge(question: Question, calls: Sequence[Call], able: Sequence[str]) -> Done | Ask:
    """What follows from these answers. `able`: the names of the endpoints that can answer at all.

    Raises ContentRefused, AnswerInvalid.
    """
    for call in calls:
        if call.finish_reason == FILTERED:
            raise ContentRefused(f"the content filter of {call.endpoint} refused the model's answer")
        if question.json_schema is None:
            return Done(call)
        if call.finish_reason == REFUSAL:
            raise ContentRefused(f"the model of {call.endpoint} refused to answer")
        data, why = read(call.text, question.json_schema)
        if not why:
            return Done(call, data)
    given = [call.endpoint for call in calls]
    among = tuple(name for name in able if given.count(name) < ANSWERS_EACH)
    if not among:
        raise _invalid(question, calls)
    last = given[-1] if given else None
    return Ask(among, prefer=last if last in among else None)


def read(text: str, schema: Mapping[str, Any]) -> tuple[Any, str]:
    """The answer as JSON, and what in it breaks the schema: empty if nothing does."""
    try:
        data = strict_json.parse(_bare(text), max_depth=MAX_LEVELS)
    except json.JSONDecodeError:
        return None, "the answer is no JSON"
    except ValueError:
        return None, UNKEPT
    return data, why_invalid(data, schema)


def _bare(text: str) -> str:
    """The answer without the fence that some models put around it. Not by a pattern: models may repeat themselves."""
    fenced = text.strip()
    if not (fenced.startswith(_FENCE) and fenced.endswith(_FENCE)):
        return text
    language, _, inner = fenced.removeprefix(_FENCE).removesuffix(_FENCE).partition("\n")
    return text if language.strip(string.ascii_letters + string.whitespace) else inner


def messages_for(question: Question, calls: Collection[Call], endpoint: str, *, told_schema: bool) -> list[Message]:
    """What this endpoint is sent: the question, and its own answer to repair if it has given one.

    `told_schema`: the schema travels beside the messages; otherwise it is written into the instructions.
    """
    messages = list(question.messages)
    if question.json_schema is None:
        return messages
    if not told_schema:
        messages = _with_schema(messages, question.json_schema)
    for call in calls:
        if call.endpoint == endpoint:
            messages += _repair(call, question.json_schema)
    return messages


def _with_schema(messages: Sequence[Message], schema: Mapping[str, Any]) -> list[Message]:
    """The schema at the end of the instructions: some models take one system message, and only as the first."""
    told = f"Answer with JSON alone, without any other word, that keeps to this JSON Schema:\n{json.dumps(schema)}"
    first = messages[0]
    if first["role"] == "system" and isinstance(first["content"], str):
        return [{**first, "content": f"{first['content']}\n\n{told}"}, *messages[1:]]
    return [{"role": "system", "content": told}, *messages]


def _repair(call: Call, schema: Mapping[str, Any]) -> list[Message]:
    why = read(call.text, schema)[1]
    return [
        {"role": "assistant", "content": call.text},
        {
            "role": "user",
            "content": f"That breaks the JSON Schema: {why}. Answer again, with the corrected JSON alone.",
        },
    ]


def _invalid(question: Question, calls: Sequence[Call]) -> AnswerInvalid:
    """`why` names places in the answer, so it goes to the client and not into the detail, which is logged."""
    assert question.json_schema is not None
    last = calls[-1]
    why = read(last.text, question.json_schema)[1]
    cut = f"; the last was cut at {last.output_tokens:,} tokens" if last.finish_reason == "length" else ""
    endpoints = len({call.endpoint for call in calls})
    return AnswerInvalid(
        f"{len(calls)} answers of {endpoints} {'endpoint' if endpoints == 1 else 'endpoints'} break the schema{cut}",
        why=why,
    )
