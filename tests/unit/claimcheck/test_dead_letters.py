"""claimcheck/dead_letters.py: a letter is known by its place on the broker, and its body survives."""

from __future__ import annotations

import json

import pytest

from claimcheck.dead_letters import MAX_KEPT_BYTES, NOBODY, DeadLetter, encoded
from claimcheck.job import timestamp
from tests.unit.claimcheck.samples import NOW

MAX_ITEM_BYTES = 2 * 1024 * 1024


def letter(body: bytes) -> DeadLetter:
    return DeadLetter(
        id=DeadLetter.id_of("speech", "7", timestamp(NOW)),
        tenant=NOBODY,
        job_id=NOBODY,
        queue="speech",
        sequence_number="7",
        message_id="m",
        body_base64=encoded(body),
        reason="r",
        description="",
        delivery_count=10,
        enqueued_at=NOW,
        stored_at=NOW,
        ttl=60,
    )


@pytest.mark.parametrize("body", [b"", b"{}", bytes(range(256))])
def test_body_comes_back_byte_by_byte(body: bytes) -> None:
    assert DeadLetter.model_validate_json(letter(body).model_dump_json()).body == body


def test_body_that_is_far_too_long_is_kept_as_far_as_an_item_can_hold_it() -> None:
    kept = letter(b"x" * (MAX_KEPT_BYTES + 1))
    assert kept.body == b"x" * MAX_KEPT_BYTES
    assert len(json.dumps(kept.model_dump(mode="json"))) < MAX_ITEM_BYTES


def test_letters_of_two_places_have_two_ids() -> None:
    places = [("speech", "7", "a"), ("media", "7", "a"), ("speech", "8", "a"), ("speech", "7", "b")]
    ids = {DeadLetter.id_of(*place) for place in places}
    assert len(ids) == len(places)
    assert not any(set(one) & set("/\\?#") for one in ids)  # which Cosmos DB refuses
