"""What a question to a model costs besides the model: the table in `docs/architecture.md`, as the emulators see it."""

from __future__ import annotations

import pytest

from claimcheck.settings import LanguageSettings
from tests.services.costs.conftest import Meter
from tests.services.costs.test_costs import CREATE, PATCH, until_told
from tests.stack.client import Client
from tests.stack.counting_proxy import CountingProxy
from tests.stack.stores import Stores
from tests.stack.system import System

WORKER = "language-1"


def completed(client: Client, running: System) -> str:
    """Ask for an answer and wait for it; the job's id."""
    job_id = client.submit(b"How much is a question?", task="complete", name="prompt.txt")
    until_told(running, "job.succeeded", job_id, by=WORKER)
    return job_id


def test_question_costs_a_create_and_a_replace_beside_its_job_and_its_prompt_a_put_and_a_get(
    client: Client, running: System, stores: Stores, meter: Meter, blobs_asked: CountingProxy
) -> None:
    completed(client, running)
    blobs_asked.watch()
    with meter() as used:
        job_id = completed(client, running)
    assert blobs_asked.counted() == {"PUT": 1, "GET": 1}
    written = used.without("read")
    assert written.requests == {"create": 2, "patch": 1, "replace": 1, "batch": 1}
    # Job, take, note, answer, end; nothing of it has more than a kilobyte.
    assert written.total == pytest.approx(CREATE + PATCH + CREATE + PATCH + (CREATE + PATCH), abs=0.3)
    (asked,) = [item for item in stores.items("asked") if item["job_id"] == job_id]
    assert (asked["begun"], len(asked["calls"]), asked["stage"], asked["part"]) == (1, 1, "language", None)


def test_worker_of_the_language_queue_has_slots_of_its_own(running: System) -> None:
    slots = LanguageSettings(endpoints=()).slots
    assert f"slots={slots}" in running.logs(WORKER)
    assert "slots=1" in running.logs("worker-1")
