"""Encoding, decoding and refusing what travels on a queue."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claimcheck.errors import MessageRejected, NewerMessage, UndecodableMessage
from claimcheck.messages import MAX_BODY_BYTES, Message, decode, job_of
from tests.unit.claimcheck.samples import EPOCH, JOB_ID, message


def body(**changes: Any) -> bytes:
    return json.dumps({**json.loads(message().encode()), **changes}).encode()


@given(st.integers(0, 10**6), st.integers(1, 10), st.integers(0, 100))
def test_what_is_encoded_is_decoded(part: int, attempt: int, turn: int) -> None:
    sent = message(part=part, attempt=attempt, turn=turn)
    assert decode(sent.encode()) == sent


def test_message_id_names_everything_that_makes_a_message_another() -> None:
    assert message(attempt=2, turn=3).message_id == f"{JOB_ID}:{EPOCH}:whole:-:2:3"
    assert message(part=0).message_id == f"{JOB_ID}:{EPOCH}:whole:0:1:0"


def test_longest_message_id_is_within_the_128_characters_of_service_bus() -> None:
    longest = message(stage="s" * 40, part=10**9, attempt=10**6, turn=10**9)
    assert len(longest.message_id) <= 128


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"hello",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b'{"v": 1}',
        body(v=0),
        body(v="1"),
        body(tenant="Default"),
        body(tenant="a" * 41),
        body(job_id=JOB_ID.upper()),
        body(job_id="../../etc"),
        body(epoch="' OR 1=1"),
        body(stage="whole' OR true"),
        body(part=-1),
        body(part="0"),
        body(attempt=0),
        body(attempt=1.5),
        body(turn=-1),
        b" " * (MAX_BODY_BYTES + 1),
    ],
)
def test_what_is_no_message_is_undecodable(bad: bytes) -> None:
    with pytest.raises(UndecodableMessage):
        decode(bad)


def test_higher_version_is_told_from_junk_whatever_else_it_says() -> None:
    with pytest.raises(NewerMessage, match="version 2"):
        decode(b'{"v": 2, "somewhat": ["different"]}')


def test_unknown_field_of_our_version_is_let_through() -> None:
    assert decode(body(hint="new")) == message()


@given(st.binary(max_size=200))
def test_random_bytes_are_rejected_and_nothing_else_is_raised(junk: bytes) -> None:
    with pytest.raises(MessageRejected):
        decode(junk)


def test_body_carries_references_only() -> None:
    assert set(json.loads(Message.encode(message()))) == {
        "v", "tenant", "job_id", "epoch", "stage", "part", "attempt", "turn"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("sent", "owner"),
    [
        pytest.param(body(), ("default", JOB_ID), id="ours"),
        pytest.param(body(v=9, epoch=["another", "shape"]), ("default", JOB_ID), id="of a newer release"),
        pytest.param(body(job_id="../../etc"), None, id="an id that is none"),
        pytest.param(body(tenant="-" * 41), None, id="a tenant that is none"),
        pytest.param(b"[1]", None, id="another kind of JSON"),
        pytest.param(b"\xff{", None, id="no JSON"),
    ],
)
def test_job_of_a_message_is_told_in_every_version(sent: bytes, owner: tuple[str, str] | None) -> None:
    assert job_of(sent) == owner
