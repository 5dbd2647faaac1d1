"""services/process_api/intent.py: what is asked for, and which task a file is for when nobody named one."""

from __future__ import annotations

import pytest

from claimcheck.errors import InvalidOptions, UnknownTask, UnsupportedMedia
from claimcheck.tasks import Task
from services.process_api.intent import Intent, task_for


@pytest.mark.parametrize(
    ("media_type", "task"),
    [
        ("image/png", "describe"),
        ("IMAGE/JPEG", "describe"),
        ("audio/mpeg", "transcribe"),
        ("video/mp4", "transcribe"),
        ("application/octet-stream", "transcribe"),
        ("", "transcribe"),
        ("imagery/png", "transcribe"),
    ],
)
def test_task_is_chosen_by_content(media_type: str, task: str) -> None:
    assert task_for(media_type) == task


def settled(fields: dict[str, str], *, default: str = "probe", head: bytes = b"\0") -> Task:
    """The task of a request with these fields."""
    intent = Intent(default)
    intent.tell(fields)
    intent.see(head, whole=True, claim="", name="a")
    return intent.settled().task


def test_empty_field_says_nothing() -> None:
    assert settled({"task": "", "options": ""}).name == "probe"


def test_task_that_is_named_counts_more_than_the_content() -> None:
    assert settled({"task": "fan"}, default="", head=b"\x89PNG\r\n\x1a\n").name == "fan"


@pytest.mark.parametrize(
    ("head", "task"), [(b"\x89PNG\r\n\x1a\n", "describe"), (b"\xff\xd8\xff\xe0", "describe"), (b"\0", "transcribe")]
)
def test_content_chooses_the_task_where_nobody_names_one(head: bytes, task: str) -> None:
    assert settled({}, default="", head=head).name == task


def test_default_task_that_is_not_there_is_refused_at_the_end() -> None:
    with pytest.raises(UnknownTask, match="'paint'"):
        settled({}, default="paint")


def test_image_that_describe_does_not_take_is_refused_by_its_type() -> None:
    with pytest.raises(UnsupportedMedia, match="image/heif by its content; describe takes image/jpeg"):
        settled({}, default="", head=b"\0\0\0\x18ftypheic\0\0\0\0")


def test_options_are_checked_by_the_default_task_at_the_end() -> None:
    intent = Intent("probe")
    intent.tell({"options": '{"tempo": 1}'})
    intent.see(b"\0", whole=True, claim="", name="")
    with pytest.raises(InvalidOptions, match="tempo"):
        intent.settled()
