"""In which questions summaries become one, round by round, when they are too long for a single one. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from claimcheck.language import ResultWarning
from services.worker.texts.cutting import clipped, windows

BETWEEN: Final = "\n\n"
LEFT: Final = 0.75  # A round that leaves more questions than this share of the last one's leads to no end in time.


@dataclass(frozen=True)
class Round:
    """What is asked about at once; of several answers the next round is made."""

    contents: tuple[str, ...]
    warnings: tuple[ResultWarning, ...] = ()
    """What had to be left out."""


def first_round(texts: Sequence[str], *, room_bytes: int) -> Round:
    """All of the texts, neighbours together, as many as fit; one that does not fit by itself is cut into several."""
    fitting = [piece for text in texts for piece in _fitting(text, room_bytes)]
    return Round(tuple(_joined(fitting, room_bytes)))


def next_round(answers: Sequence[str], *, room_bytes: int) -> Round:
    """The same of the answers, one a question, to the last round.

    Of answers that are about as long as what they were asked about, any two are made to fit: so there is an end.
    """
    whole = first_round(answers, room_bytes=room_bytes)
    if len(whole.contents) <= LEFT * len(answers):
        return whole
    share_bytes = room_bytes // 2 - len(BETWEEN)
    short = [clipped(answer, size_bytes=share_bytes) for answer in answers]
    return Round(tuple(_joined(short, room_bytes)), tuple(_shortened(answers, share_bytes)))


def _shortened(answers: Sequence[str], share_bytes: int) -> Iterator[ResultWarning]:
    sizes = [size for answer in answers if (size := len(answer.encode())) > share_bytes]
    if sizes:
        detail = (
            f"{len(sizes):,} of {len(answers):,} summaries of parts were longer than the model was told, up to "
            f"{max(sizes):,} bytes; the limit is {share_bytes:,}: their ends are missing from the summary"
        )
        yield ResultWarning(slug="part-shortened", detail=detail)


def _fitting(text: str, room_bytes: int) -> list[str]:
    """The text, in pieces if it is longer than the room; nothing but blanks is lost."""
    data = text.encode()
    if len(data) <= room_bytes:
        return [text]
    pieces = windows(data, size_bytes=room_bytes)
    return [data[piece.start : piece.end].decode().strip() for piece in pieces]


def _joined(texts: Sequence[str], room_bytes: int) -> Iterator[str]:
    """Neighbours together, in their order; each text fits by itself."""
    group: list[str] = []
    taken = 0
    for text in texts:
        size_bytes = len(text.encode()) + len(BETWEEN)
        if group and taken + size_bytes > room_bytes + len(BETWEEN):
            yield BETWEEN.join(group)
            group, taken = [], 0
        group.append(text)
        taken += size_bytes
    yield BETWEEN.join(group)
