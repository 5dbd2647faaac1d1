"""In which groups partial summaries become one, when they are too many for one question. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.worker.language.text_windows import clipped

BETWEEN: Final = "\n\n"


def fitted(texts: Sequence[str], *, room_bytes: int) -> list[str]:
    """The texts, none so long that two would not fit: so each round leaves fewer texts, and there is an end."""
    return [clipped(text, size_bytes=room_bytes // 2 - len(BETWEEN)) for text in texts]


def grouped(texts: Sequence[str], *, room_bytes: int) -> list[range]:
    """Neighbours together, as many as fit; of texts that are `fitted`, never one alone but the last."""
    found: list[range] = []
    first, taken = 0, 0
    for number, text in enumerate(texts):
        size_bytes = len(text.encode()) + len(BETWEEN)
        if number > first and taken + size_bytes > room_bytes:
            found.append(range(first, number))
            first, taken = number, 0
        taken += size_bytes
    return [*found, range(first, len(texts))] if texts else []


def joined(texts: Sequence[str], group: range) -> str:
    """What is asked about: the texts of a group, in their order."""
    return BETWEEN.join(texts[group.start : group.stop])
