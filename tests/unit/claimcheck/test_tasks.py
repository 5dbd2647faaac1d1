"""claimcheck/tasks: what a task and its stages must be for their jobs to run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, field_validator

from claimcheck.breaches import MAX_NAME_CHARS
from claimcheck.errors import InputNotTaken, InvalidOptions
from claimcheck.tasks import MAX_PROBLEMS, Stage, Task, catalogue

LONGEST = "a" * 40


def stage(name: str = "whole", window: int = 0) -> Stage:
    """A stage."""
    return Stage(name, "speech", "module:function", window=window)


def task(*stages: Stage, name: str = "paint") -> Task:
    """A task of these stages."""
    return Task(name=name, media_types=("*",), options=BaseModel, stages=stages)


@pytest.mark.parametrize("name", ["a", "0", "-", "text-to-image", LONGEST])
def test_name_that_a_message_can_carry_is_taken(name: str) -> None:
    assert task(stage(name), name=name).stage(name).name == name


@pytest.mark.parametrize("name", ["", "Whole", "a b", "a_b", "a.b", "a\n", "é", LONGEST + "a"])
def test_any_other_name_is_refused_with_the_name(name: str) -> None:
    with pytest.raises(ValueError, match="the name of a stage is") as refused:
        stage(name)
    assert repr(name) in str(refused.value)
    with pytest.raises(ValueError, match="the name of a task is") as refused:
        task(stage(), name=name)
    assert repr(name) in str(refused.value)


@pytest.mark.parametrize(
    ("stages", "said"),
    [
        ([], "task paint has 0 stages; at least 1 is expected"),
        ([("a", 0), ("b", 0), ("a", 0)], "task paint has the stages a, b, a; each name may occur once"),
        ([("a", 2), ("b", 0)], "stage a is the first of paint and has a window; 0 is expected"),
    ],
    ids=["no stage", "a name twice", "fanned out at once"],
)
def test_stages_that_no_job_could_go_through_are_refused(stages: list[tuple[str, int]], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        task(*[stage(name, window) for name, window in stages])


def test_negative_window_is_refused() -> None:
    with pytest.raises(ValueError, match="stage whole has a window of -1; 0 or more is expected"):
        stage(window=-1)


@pytest.mark.parametrize("stages", [[("a", 0)], [("a", 0), ("b", 2), ("c", 0)], [("a", 0), ("b", 1)]])
def test_stages_that_lead_to_an_end_are_taken(stages: list[tuple[str, int]]) -> None:
    made: Any = task(*[stage(name, window) for name, window in stages])
    assert [(s.name, s.window) for s in made.stages] == stages


def test_task_takes_a_file_unless_it_says_otherwise() -> None:
    task(stage()).check_input("file")
    with pytest.raises(InputNotTaken, match="the input is of the kind 'text'; paint takes file"):
        task(stage()).check_input("text")
    texts = replace(task(stage()), inputs=("text",))
    texts.check_input("text")
    with pytest.raises(InputNotTaken, match="the input is of the kind 'file'; paint takes text"):
        texts.check_input("file")


class Brush(BaseModel):
    """An option with members."""

    model_config = ConfigDict(extra="forbid")

    width: int = 1


class PaintOptions(BaseModel):
    """Options that say in their own words what they do not take."""

    model_config = ConfigDict(extra="forbid")

    tint: str = "red"
    brush: Brush = Brush()

    @field_validator("tint")
    @classmethod
    def _no_grey(cls, tint: str) -> str:
        if tint == "grey":
            raise ValueError("grey is no tint")
        return tint


@pytest.mark.parametrize(
    ("options", "option", "reason"),
    [
        ({"tint": "grey"}, "tint", "grey is no tint"),
        ({"tempo": 1}, "tempo", "the task has no such option; known: brush, tint"),
        ({"brush": {"hair": "fine"}}, "brush.hair", "there is no such option"),
        ({"tint": 1}, "tint", "Input should be a valid string"),
    ],
)
def test_option_is_refused_in_words_of_the_task(options: dict[str, Any], option: str, reason: str) -> None:
    with pytest.raises(InvalidOptions) as refused:
        replace(task(stage()), options=PaintOptions).validated(options)
    assert refused.value.detail == f"{option}: {reason}"
    assert refused.value.extra["problems"] == [{"option": option, "reason": reason}]


def test_refusal_of_many_long_options_is_short() -> None:
    with pytest.raises(InvalidOptions) as refused:
        replace(task(stage()), options=PaintOptions).validated({f"{number}{'x' * 10_000}": 1 for number in range(1000)})
    assert len(refused.value.detail) < 200
    assert len(refused.value.extra["problems"]) == MAX_PROBLEMS
    assert all(len(problem["option"]) == MAX_NAME_CHARS for problem in refused.value.extra["problems"])


def test_task_without_options_says_so() -> None:
    class Nothing(BaseModel):
        model_config = ConfigDict(extra="forbid")

    with pytest.raises(InvalidOptions, match="tempo: the task has no such option; known: none"):
        replace(task(stage()), options=Nothing).validated({"tempo": 1})


def test_every_installed_task_is_named_as_it_is_found() -> None:
    assert {name: task.name for name, task in catalogue().items()} == {name: name for name in catalogue()}
