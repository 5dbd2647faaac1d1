"""The keeper stores what the broker gave up, and an operator makes a job of it that succeeds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.conftest import RunSystem
from tests.services.operators.conftest import KEYS, LETTERS, OPERATOR_KEY, keyed, with_key
from tests.stack.by_hand import ByHand
from tests.stack.client import Client
from tests.stack.names import NameStock
from tests.stack.services import Services
from tests.stack.stores import Stores
from tests.stack.system import System
from tests.stack.waiting import until

STORED_S = 30.0


@dataclass(frozen=True)
class Kept:
    """A system with a worker and a keeper."""

    system: System
    client: Client
    hand: ByHand
    api: httpx.Client

    def until_stored(self, tenant: str) -> dict[str, Any]:
        """Wait for the only letter of a tenant."""

        def stored() -> dict[str, Any] | None:
            letters = self.api.get(LETTERS, params={"tenant": tenant}).json()["letters"]
            return letters[0] if letters else None

        return until(stored, "a letter is stored", deadline_s=STORED_S)


@pytest.fixture(scope="module")
def kept(run_system: RunSystem, services: Services, name_stock: NameStock) -> Iterator[Kept]:
    """A test leaves every program running."""
    names = name_stock.take()
    with (
        run_system(names=names, keepers=1, env=keyed()) as system,
        Client(system.process_url, system.status_url) as client,
        httpx.Client(base_url=system.process_url, headers={"X-API-Key": OPERATOR_KEY}, timeout=40) as api,
    ):
        yield Kept(system, with_key(client, KEYS["default"]), ByHand(Stores(services, names)), api)


def test_letter_that_the_keeper_stored_is_replayed_and_its_job_succeeds(kept: Kept) -> None:
    assert kept.system.stop("worker-1") == 0
    job_id = kept.client.submit(b"given up", options={"do": "read"})
    kept.hand.exhaust()
    letter = kept.until_stored("default")
    assert (letter["job_id"], letter["task"], letter["reason"]) == (job_id, "probe", "MaxDeliveryCountExceeded")
    assert kept.client.until_ended(job_id)["error"]["type"] == "urn:claimcheck:problem:dead-lettered"
    answer = kept.api.post(f"{LETTERS}/replay", json={"task": "probe"}).json()
    (outcome,) = answer["letters"]
    kept.system.restart("worker-1")
    job = kept.client.until_status(outcome["job_id"], "succeeded", deadline_s=30)
    assert (job["result"]["text"], job["retry_of"]) == ("given up", job_id)


def test_message_that_nobody_can_read_is_stored_shown_and_discarded(kept: Kept) -> None:
    kept.hand.stores.send({"junk": b"no message of ours"})  # Which the worker parks.
    letter = kept.until_stored("-")
    assert letter["id"].startswith("_:_:speech:")
    refused = kept.api.post(f"{LETTERS}/replay", json={"ids": [letter["id"]]}).json()["letters"][0]
    assert (refused["outcome"], refused["problem"]["status"]) == ("refused", 409)
    assert kept.api.post(f"{LETTERS}/discard", json={"tenant": "-"}).json()["letters"][0]["outcome"] == "discarded"
    assert kept.api.get(LETTERS, params={"tenant": "-"}).json()["letters"] == []
