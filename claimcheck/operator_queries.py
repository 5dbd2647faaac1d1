"""Which dead letters or jobs an operator asks for: ids, filters, ages, and where a page begins. Pure.

An id names the letter's tenant, job, queue, sequence number and time: readable, and safe in a path and on a command
line. It opens nothing: every route that takes one asks for an operator's key first.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from claimcheck.breaches import first_of
from claimcheck.dead_letters import NOBODY, DeadLetter
from claimcheck.errors import LetterNotFound, MalformedRequest
from claimcheck.job import timestamp
from claimcheck.listing import given_once
from claimcheck.messages import NAME

DEFAULT_LIMIT: Final = 20
MOST: Final = 100
AGE: Final = r"^[0-9]{1,4}[smhd]$"
LETTER_ID: Final = r"^([a-z0-9-]{1,40}:[0-9a-f-]{36}|_:_):[a-z]{1,20}:[0-9]{1,20}:[0-9A-Z:.+-]{1,40}$"

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_ITEM: Final = "dead-letter:"

Model = TypeVar("Model", bound=BaseModel)
Age = Annotated[str, Field(pattern=AGE, examples=["2h"])]
LetterIdText = Annotated[str, Field(pattern=LETTER_ID)]


@dataclass(frozen=True)
class LetterId:
    """Where a letter is kept."""

    tenant: str
    job_id: str
    item: str

    @classmethod
    def of(cls, letter: DeadLetter) -> Self:
        """The id of a letter."""
        return cls(letter.tenant, letter.job_id, letter.id)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The id in a text. Raises LetterNotFound for any other text."""
        if not re.fullmatch(LETTER_ID, text):
            raise no_such_letter()
        tenant, job_id, rest = text.split(":", 2)
        nobody = tenant == "_"
        return cls(NOBODY if nobody else tenant, NOBODY if nobody else job_id, _ITEM + rest)

    def __str__(self) -> str:
        """As it is shown. `_` stands for nobody: an argument that begins with `-` would be taken for an option."""
        whose = "_:_" if self.job_id == NOBODY else f"{self.tenant}:{self.job_id}"
        return f"{whose}:{self.item.removeprefix(_ITEM)}"


def no_such_letter() -> LetterNotFound:
    """What is raised for every id that shows no letter."""
    return LetterNotFound("there is no dead letter with this id; it may have been discarded, or its job erased")


class Filters(BaseModel):
    """Which dead letters. An age is a number and s, m, h or d, and counts from when the letter was stored."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    task: Annotated[str, Field(pattern=NAME)] | None = None
    tenant: Annotated[str, Field(pattern=NAME)] | None = None
    reason: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    older_than: Age | None = None
    newer_than: Age | None = None

    def wanted(self, now: datetime, *, unreplayed: bool = False) -> Wanted:
        """The same with times instead of ages."""
        return Wanted(
            task=self.task,
            tenant=self.tenant,
            reason=self.reason,
            stored_before=now - age(self.older_than) if self.older_than else None,
            stored_after=now - age(self.newer_than) if self.newer_than else None,
            unreplayed=unreplayed,
        )


@dataclass(frozen=True)
class Wanted:
    """Which dead letters; None: all."""

    task: str | None = None
    tenant: str | None = None
    reason: str | None = None
    stored_before: datetime | None = None
    stored_after: datetime | None = None
    unreplayed: bool = False


@dataclass(frozen=True)
class Position:
    """Where a page ends: its last letter. Of all letters no two have the same item id, whoever's they are."""

    stored_at: datetime
    item: str

    def __str__(self) -> str:
        """As `after` carries it."""
        return base64.urlsafe_b64encode(f"{timestamp(self.stored_at)}{self.item}".encode()).decode().rstrip("=")

    @classmethod
    def parse(cls, after: str) -> Self:
        """The position that this text stands for. Raises MalformedRequest."""
        try:
            raw = base64.urlsafe_b64decode(after + "==").decode()
            position = cls(datetime.fromisoformat(raw[: len("2026-01-01T00:00:00.000Z")]), raw[24:])
            # Written again, since decoding overlooks much.
            if position.item.startswith(_ITEM) and str(position) == after:
                return position
        except (ValueError, OverflowError):
            pass
        raise MalformedRequest(f"after is {after[:60]!r}; the one of an earlier page is expected")


@dataclass(frozen=True)
class PageQuery:
    """What a page of dead letters is asked for with."""

    filters: Filters
    limit: int = DEFAULT_LIMIT
    after: Position | None = None


def read_page_query(parameters: Iterable[tuple[str, str]]) -> PageQuery:
    """The query of a list of letters. Raises MalformedRequest: a typo must not look like an empty list."""
    given = given_once(parameters, sorted({*Filters.model_fields, "limit", "after"}))
    limit, after = given.pop("limit", None), given.pop("after", None)
    return PageQuery(
        filters=validated(Filters, given),
        limit=DEFAULT_LIMIT if limit is None else _limit(limit),
        after=None if after is None else Position.parse(after),
    )


def read_stuck_query(parameters: Iterable[tuple[str, str]], *, patience: timedelta) -> tuple[timedelta, int]:
    """For how long the jobs have not moved, by default for longer than `patience`, and how many of them.

    Raises MalformedRequest.
    """
    given = given_once(parameters, ("limit", "older_than"))
    asked = validated(Filters, {"older_than": given["older_than"]} if "older_than" in given else {}).older_than
    return age(asked) if asked else patience, _limit(given["limit"]) if "limit" in given else DEFAULT_LIMIT


def age(text: str) -> timedelta:
    """What `AGE` matches, as a duration."""
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})


def validated(model: type[Model], given: object) -> Model:
    """What was given, as the model has it. Raises MalformedRequest that says where and why."""
    try:
        return model.model_validate(given)
    except ValidationError as cause:
        raise MalformedRequest(first_of(cause, whole="the request")) from cause


def _limit(text: str) -> int:
    limit = int(text) if text.isascii() and text.isdecimal() and len(text) <= len(str(MOST)) else 0
    if not 1 <= limit <= MOST:
        raise MalformedRequest(f"limit is {text[:40]!r}; a whole number from 1 to {MOST} is expected")
    return limit
