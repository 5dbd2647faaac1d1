"""claimcheck/sweeping.py: which blobs are ours, when they are looked at, and which of them go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from claimcheck.job import End, Job, ResultRef, Status, Upload, new_job, tombstone
from claimcheck.sweeping import MOST_MISSING, SAMPLE, OwnedBlob, Window, owned, records_look_wrong, why_delete

NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)
JOB_ID = "5b0e6a7c-6d0f-4b2e-9f53-0c8a1d2e3f40"
UPLOAD, RESULT, PART = (f"{folder}/acme/{JOB_ID}/0e718ff2e33b6663" for folder in ("uploads", "results", "parts"))
OTHER_UPLOAD, OTHER_RESULT = (f"{folder}/acme/{JOB_ID}/ffffffffffffffff" for folder in ("uploads", "results"))

FRESH = new_job(
    tenant="acme",
    job_id=JOB_ID,
    task="transcribe",
    options={},
    upload=Upload(blob=UPLOAD, size_bytes=1, sha256=""),
    stage="speech",
    epoch="00000000",
    now=NOW,
    deadline_at=NOW + timedelta(days=1),
)
RUNNING = FRESH.model_copy(update={"status": Status.RUNNING})
SUCCEEDED = FRESH.model_copy(
    update={"status": Status.SUCCEEDED, "end": End(at=NOW, result=ResultRef(blob=RESULT, item=None))}
)
FAILED = FRESH.model_copy(update={"status": Status.FAILED, "end": End(at=NOW, error={})})
ERASED = tombstone(FRESH, NOW)


def _owned(name: str) -> OwnedBlob:
    blob = owned(name)
    assert blob is not None
    return blob


@pytest.mark.parametrize("name", [UPLOAD, RESULT, PART])
def test_without_a_record_everything_goes(name: str) -> None:
    assert why_delete(_owned(name), None) == "no record"


@pytest.mark.parametrize("name", [UPLOAD, RESULT, PART])
def test_of_an_erased_job_everything_goes(name: str) -> None:
    assert why_delete(_owned(name), ERASED) == "erased"


@pytest.mark.parametrize(
    ("name", "job", "why"),
    [
        pytest.param(UPLOAD, FRESH, "", id="upload of a queued job"),
        pytest.param(UPLOAD, RUNNING, "", id="upload of a running job"),
        pytest.param(UPLOAD, SUCCEEDED, "", id="upload of an ended job"),
        pytest.param(OTHER_UPLOAD, FRESH, "another upload is the job's", id="upload of a second accept"),
        pytest.param(OTHER_UPLOAD, FAILED, "another upload is the job's", id="the same, the job has ended"),
        pytest.param(RESULT, SUCCEEDED, "", id="the result"),
        pytest.param(OTHER_RESULT, SUCCEEDED, "not the result", id="result of a runner that lost its fence"),
        pytest.param(RESULT, FAILED, "not the result", id="result of a job that failed"),
        pytest.param(RESULT, RUNNING, "", id="result that may be about to be named"),
        pytest.param(RESULT, FRESH, "", id="result of a runner that was taken over, the job waits for its retry"),
        pytest.param(PART, RUNNING, "", id="part of a running job"),
        pytest.param(PART, SUCCEEDED, "", id="part of an ended job: it goes with the record"),
    ],
)
def test_what_a_job_names_or_may_yet_name_stays(name: str, job: Job, why: str) -> None:
    assert why_delete(_owned(name), job) == why


@pytest.mark.parametrize(
    "name",
    [
        "",
        "uploads/",
        "readme.txt",
        f"backups/acme/{JOB_ID}/0e71",
        f"uploads/{JOB_ID}/0e71",
        f"uploads/Acme/{JOB_ID}/0e71",
        f"uploads/{'a' * 41}/{JOB_ID}/0e71",
        f"uploads/acme/{JOB_ID.upper()}/0e71",
        "uploads/acme/" + "0" * 36 + "/0e71",
        f"uploads/acme/{JOB_ID}/",
        f"uploads/acme/{JOB_ID}/notes.txt",
        f"uploads/acme/{JOB_ID}/0e71/0e71",
        f"uploads/acme/{JOB_ID}/0e71\n",
        f"/uploads/acme/{JOB_ID}/0e71",
    ],
)
def test_name_that_is_none_of_ours_has_no_owner(name: str) -> None:
    assert owned(name) is None


def test_name_of_ours_says_whose_it_is() -> None:
    assert owned(RESULT) == OwnedBlob(RESULT, "results", "acme", JOB_ID)


@pytest.mark.parametrize(
    ("age_s", "after_s", "looked_at"),
    [
        pytest.param(899, None, False, id="too young"),
        pytest.param(900, None, True, id="just old enough"),
        pytest.param(10**7, None, True, id="old, in a full sweep"),
        pytest.param(1199, 1200, True, id="since the last sweep"),
        pytest.param(1200, 1200, False, id="looked at by the last sweep"),
        pytest.param(10**7, 1200, False, id="old, in an ordinary sweep"),
    ],
)
def test_sweep_looks_at_blobs_that_have_become_old_enough_since_the_last(
    age_s: float, after_s: float | None, looked_at: bool
) -> None:
    after = None if after_s is None else NOW - timedelta(seconds=after_s)
    window = Window(NOW - timedelta(seconds=900), after)
    assert window.holds(NOW - timedelta(seconds=age_s)) is looked_at


@pytest.mark.parametrize(
    ("missing", "wrong"), [(0, False), (MOST_MISSING, False), (MOST_MISSING + 1, True), (SAMPLE, True)]
)
def test_records_look_wrong_once_more_than_a_quarter_of_young_uploads_have_none(missing: int, wrong: bool) -> None:
    assert records_look_wrong(missing) is wrong
