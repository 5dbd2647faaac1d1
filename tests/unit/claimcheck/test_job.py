"""The record: what is stored is what is read, and its size."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

from claimcheck.job import End, Job, ResultRef, Status, timestamp
from tests.unit.claimcheck.samples import NOW, job, run


def test_timestamps_are_utc_with_milliseconds_and_sort_as_text() -> None:
    assert (
        timestamp(datetime(2026, 5, 4, 14, 0, 0, 1234, tzinfo=timezone(timedelta(hours=2))))
        == "2026-05-04T12:00:00.001Z"
    )
    later = datetime(2026, 5, 4, 12, 0, 0, 2000, tzinfo=UTC)
    assert timestamp(NOW) < timestamp(later)


def test_record_survives_being_stored() -> None:
    end = End(at=NOW, result=ResultRef(item="result:1"), warnings=2)
    full = job(status=Status.SUCCEEDED, due_at=NOW, run=run(), end=end, options={"language": "en"})
    assert Job.model_validate(json.loads(full.model_dump_json())) == full


def test_etag_is_read_but_never_stored() -> None:
    stored = json.loads(job().model_dump_json())
    assert "_etag" not in stored
    assert "etag" not in stored
    assert Job.model_validate({**stored, "_etag": '"1"'}).etag == '"1"'
