"""What a refusal says of what breaks a model: where and why, short, and not in the client's words if they are kept."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from claimcheck.breaches import first_of

LONG = "x" * 1_000_000


class Dog(BaseModel):
    """One kind of animal."""

    kind: Literal["dog"]


class Cat(BaseModel):
    """Another."""

    kind: Literal["cat"]


class Zoo(BaseModel):
    """What is checked."""

    model_config = ConfigDict(extra="forbid")

    animals: list[Annotated[Dog | Cat, Field(discriminator="kind")]] = []
    visitors: dict[str, int] = {}
    name: str = ""

    @field_validator("name")
    @classmethod
    def _not_closed(cls, name: str) -> str:
        if name == "closed":
            raise ValueError("it is closed")
        return name


def said(given: Any, *within: str, known: set[str] | None = None) -> str:
    """What is said of it."""
    with pytest.raises(ValidationError) as broken:
        Zoo.model_validate(given)
    return first_of(broken.value, *within, whole="the zoo", known=known)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"name": "closed"}, "name: it is closed"),
        ({"animals": [{"kind": "dog"}, 1]}, "animals.1: "),
        ({"keeper": 1}, "keeper: Extra inputs are not permitted"),
        ([], "the zoo: "),
    ],
)
def test_the_place_is_said_and_why(given: Any, expected: str) -> None:
    assert said(given).startswith(expected)


def test_a_place_may_be_within_another() -> None:
    assert said({"name": "closed"}, "city", "park") == "city.park.name: it is closed"


@pytest.mark.parametrize(
    "given", [{LONG: 1}, {"visitors": {LONG: "many"}}, {"animals": [{"kind": LONG}]}], ids=["name", "key", "tag"]
)
def test_what_is_said_is_short_however_long_a_client_is(given: Any) -> None:
    assert len(said(given)) < 600


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"my secret": 1}, "*: Extra inputs are not permitted"),
        ({"visitors": {"my secret": "many"}}, "visitors.*: Input should be a valid integer"),
        ({"animals": [{"kind": "dog"}, 1]}, "animals.1: "),
    ],
)
def test_a_name_that_is_not_known_is_not_repeated(given: Any, expected: str) -> None:
    assert said(given, known={*Zoo.model_fields}).startswith(expected)
