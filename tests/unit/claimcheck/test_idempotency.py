"""claimcheck/idempotency.py: which headers are keys, which id a key makes, and what counts as the same request."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from claimcheck.errors import IdempotencyKeyReused, MalformedRequest
from claimcheck.idempotency import MAX_KEY_CHARS, check_same_request, job_id_for, read_key
from claimcheck.job import Job, is_job_id
from tests.unit.claimcheck.samples import job


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("k", "k"),
        ('"k"', "k"),
        ("  k  ", "k"),
        ('"a"b"', 'a"b'),
        ('"', '"'),
        ("!~", "!~"),
        ("x" * MAX_KEY_CHARS, "x" * MAX_KEY_CHARS),
        (f'"{"x" * MAX_KEY_CHARS}"', "x" * MAX_KEY_CHARS),
    ],
)
def test_key_is_what_the_header_holds_quoted_or_bare(header: str, key: str) -> None:
    assert read_key([header]) == key


def test_no_header_is_no_key() -> None:
    assert read_key([]) is None


@pytest.mark.parametrize(
    "header", ["", '""', " ", "a b", "a\tb", "a\nb", "a\0b", "é", "\x7f", "x" * (MAX_KEY_CHARS + 1)]
)
def test_header_that_holds_no_key_is_refused(header: str) -> None:
    with pytest.raises(MalformedRequest, match=r"1 to 255 visible ASCII characters are expected"):
        read_key([header])


def test_two_headers_are_refused_though_they_agree() -> None:
    with pytest.raises(MalformedRequest, match="came 2 times"):
        read_key(["k", "k"])


def test_key_of_a_tenant_makes_one_id_for_ever() -> None:
    """Changing how ids are made would give every key that is in use a second job."""
    assert job_id_for("default", "k") == "2576fa4d-fe00-8255-bfa9-3973d672b819"
    assert uuid.UUID(job_id_for("default", "k")).version == 8
    assert is_job_id(job_id_for("default", "k"))


def test_tenant_and_key_cannot_be_told_otherwise_to_make_the_same_id() -> None:
    ids = {job_id_for(*pair) for pair in [("a", "b"), ("b", "a"), ("ab", "c"), ("a", "bc"), ("a-b", "c")]}
    assert len(ids) == 5


def _check(made: Job | None = None, **other: Any) -> None:
    made = made or job()
    same = {"task": made.task, "options": dict(made.options), "sha256": made.upload.sha256}
    check_same_request(made, **{**same, **other})


def test_same_task_options_and_file_are_the_same_request() -> None:
    _check()


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"task": "other"}, "came with another task;"),
        ({"options": {"language": "xx"}}, "came with other options;"),
        ({"sha256": "other"}, "came with another file;"),
        ({"task": "other", "sha256": "other"}, "came with another task and another file;"),
        ({"input_of": "0" * 36}, "came with another file;"),
    ],
)
def test_other_request_is_refused_and_told_what_differs(other: dict[str, Any], said: str) -> None:
    with pytest.raises(IdempotencyKeyReused, match=said):
        _check(**other)


def test_request_that_names_an_earlier_job_is_known_without_its_text() -> None:
    made = job(input_of="earlier")
    _check(made, sha256="", input_of="earlier")
    _check(made, sha256="rendered otherwise by a newer release", input_of="earlier")
    for other in ({"input_of": "another"}, {"input_of": None}, {"input_of": "earlier", "options": {"language": "de"}}):
        with pytest.raises(IdempotencyKeyReused):
            _check(made, **other)
