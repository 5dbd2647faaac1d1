"""Put a client's text between markers that it cannot know, so that it cannot pass for instructions.

Instructions stand in the system message and nowhere else; what a client, a document or another model has written stands
in a user message, fenced. The mark is drawn anew for each request: a text that holds a marker holds another one's.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from services.worker.engines.language.question import Message

MARK_BYTES = 8
# What the markers cost: two lines of a word and a mark of 16 digits, which models read in twos and threes.
FENCE_TOKENS = 40


def _drawn() -> str:
    return secrets.token_hex(MARK_BYTES)


def fenced(content: str, *, draw: Callable[[], str] = _drawn) -> str:
    """The content between two lines with the same mark, which does not occur in it."""
    mark = draw()
    while mark in content:
        mark = draw()
    return f"BEGIN {mark}\n{content}\nEND {mark}"


def instructed(instructions: str, content: str) -> list[Message]:
    """The messages of a question about a text: what to do in the one, the text in the other."""
    return [{"role": "system", "content": instructions}, {"role": "user", "content": fenced(content)}]
