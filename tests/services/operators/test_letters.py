"""The dead letters of all tenants: listed newest first, filtered, shown, discarded; and who may see them."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from claimcheck.job import Job, Status, timestamp
from claimcheck.operator_queries import LETTER_ID
from tests.services.operators.conftest import KEYS, LETTERS, Office, letter_id, newest_first
from tests.stack.stores import Stores
from tests.stack.system import System

MANY, PAGE = 40, 7
ROUTES = (
    ("GET", LETTERS),
    ("GET", f"{LETTERS}/default:0f9619ff-8b86-4d01-b42d-00cf4fc964ff:speech:1:2026-03-14T09:26:53.589Z"),
    ("POST", f"{LETTERS}/replay"),
    ("POST", f"{LETTERS}/discard"),
    ("GET", "/v1/operator/jobs/stuck"),
)


def listed(office: Office, **query: Any) -> list[str]:
    """The ids on a page."""
    answer = office.api.get(LETTERS, params=query)
    assert answer.status_code == httpx.codes.OK, answer.text
    return [letter["id"] for letter in answer.json()["letters"]]


async def test_every_letter_is_listed_once_newest_first_while_others_arrive(office: Office) -> None:
    reason, at = f"Paged{uuid.uuid4().hex}", datetime.now(UTC) - timedelta(hours=1)
    # Of both tenants, in both physical partitions; three share each millisecond, so that pages end between them.
    letters = [
        await office.letter(
            await office.job(tenant=("default", "acme")[n % 2]),
            reason=reason,
            stored_at=at - timedelta(milliseconds=n // 3),
        )
        for n in range(MANY)
    ]
    pages: list[list[str]] = []
    url: str | None = f"{LETTERS}?reason={reason}&limit={PAGE}"
    while url is not None:
        answer = office.api.get(url)
        assert answer.status_code == httpx.codes.OK, answer.text
        pages.append([letter["id"] for letter in answer.json()["letters"]])
        url = answer.json().get("next_url")
        assert answer.links.get("next", {}).get("url") == url
        await office.letter(None, reason=reason)
    assert [found for page in pages for found in page] == newest_first(letters)
    assert {len(page) for page in pages[:-1]} == {PAGE}


async def test_letters_are_filtered_by_task_tenant_reason_and_age(office: Office) -> None:
    reason, now = f"Filtered{uuid.uuid4().hex}", datetime.now(UTC)
    probe = await office.letter(await office.job(), reason=reason, stored_at=now - timedelta(hours=3))
    fan = await office.letter(
        await office.job(task="fan", stage="begin", tenant="acme"), reason=reason, stored_at=now - timedelta(hours=1)
    )
    nobodys = await office.letter(None, reason=reason)
    elsewhere = await office.letter(None, reason=f"{reason}2")
    found = {letter_id(letter): name for name, letter in (("probe", probe), ("fan", fan), ("nobody's", nobodys))}
    queries: list[tuple[dict[str, str], list[str]]] = [
        ({}, ["nobody's", "fan", "probe"]),
        ({"task": "fan"}, ["fan"]),
        ({"tenant": "default"}, ["probe"]),
        ({"tenant": "-"}, ["nobody's"]),
        ({"older_than": "30m"}, ["fan", "probe"]),
        ({"newer_than": "120m"}, ["nobody's", "fan"]),
        ({"older_than": "30m", "newer_than": "2h"}, ["fan"]),
        ({"task": "unheard-of"}, []),
    ]
    for query, names in queries:
        assert [found[i] for i in listed(office, reason=reason, **query)] == names, query
    assert listed(office, reason=f"{reason}2") == [letter_id(elsewhere)]


async def test_letter_is_shown_with_what_it_says_and_its_job(office: Office) -> None:
    old = await office.job()
    letter = await office.letter(old)
    shown = office.show(letter)
    assert shown["message"] == {
        **{"v": 1, "tenant": "default", "job_id": old.job_id, "epoch": old.epoch, "stage": "probe"},
        **{"part": None, "attempt": 1, "turn": 0},
    }
    assert (shown["job"]["id"], shown["job"]["status"], shown["job"]["stage"]) == (old.job_id, "failed", "probe")
    assert shown["job"]["error"]["type"] == "urn:claimcheck:problem:dead-lettered"
    assert (shown["reason"], shown["delivery_count"]) == ("MaxDeliveryCountExceeded", 10)
    assert "refusal" not in shown
    assert "a.txt" not in str(shown)


async def test_letter_that_nobody_can_read_is_shown_as_it_is(office: Office) -> None:
    shown = office.show(await office.letter(None))
    assert shown["id"].startswith("_:_:speech:")
    assert "message" not in shown
    assert "job" not in shown
    assert shown["refusal"]["detail"] == "no job can be read from it; it can only be discarded"


async def test_letter_is_discarded_once(office: Office, stores: Stores) -> None:
    letter = await office.letter(await office.job())
    assert office.outcome("discard", letter, dry_run=True)["outcome"] == "would-discard"
    assert office.outcome("discard", letter) == {"id": letter_id(letter), "outcome": "discarded"}
    assert letter.id not in [item["id"] for item in stores.items("dead-letter")]
    assert stores.record(letter.job_id)["status"] == "failed"
    again = office.outcome("discard", letter)
    assert (again["outcome"], again["problem"]["type"]) == ("refused", "urn:claimcheck:problem:letter-not-found")
    assert office.api.get(f"{LETTERS}/{letter_id(letter)}").status_code == httpx.codes.NOT_FOUND


async def test_letters_are_discarded_by_filter(office: Office) -> None:
    reason = f"Dropped{uuid.uuid4().hex}"
    letters = [await office.letter(None, reason=reason) for _ in range(3)]
    kept = await office.letter(None, reason=f"{reason}2")
    answer = office.act("discard", reason=reason).json()
    assert {outcome["id"] for outcome in answer["letters"]} == {letter_id(letter) for letter in letters}
    assert listed(office, reason=reason) == []
    assert listed(office, reason=f"{reason}2") == [letter_id(kept)]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("taks=probe", "the query has a parameter 'taks'"),
        ("reason=a&reason=b", "reason is given more than once"),
        ("limit=0", "limit is '0'"),
        ("limit=101", "limit is '101'"),
        ("limit=1.0", "limit is '1.0'"),
        ("older_than=2", "older_than: "),
        ("older_than=2w", "older_than: "),
        ("newer_than=-2h", "newer_than: "),
        ("tenant=A", "tenant: "),
        ("after=x", "after is 'x'"),
    ],
)
def test_query_that_means_nothing_is_refused(office: Office, query: str, says: str) -> None:
    answer = office.api.get(f"{LETTERS}?{query}")
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:claimcheck:problem:malformed-request")
    assert says in answer.json()["detail"]


@pytest.mark.parametrize(
    ("order", "says"),
    [
        (b"", "the body is no JSON"),
        (b"[]", "valid dictionary"),
        (b"{}", "exactly one of ids, filters"),
        (b'{"all": true, "reason": "x"}', "exactly one of ids, filters"),
        (b'{"all": false}', "all: "),
        (b'{"ids": []}', "ids: "),
        (b'{"ids": ["../../x"]}', "ids.0: "),
        (b'{"all": true, "limit": 101}', "limit: "),
        (b'{"all": true, "per_s": 0}', "per_s: "),
        (b'{"all": true, "dry_run": "yes"}', "dry_run: "),
        (b'{"all": true, "dryrun": true}', "dryrun: "),
        (b'{"all": true, "after": "x"}', "after is 'x'"),
    ],
)
@pytest.mark.parametrize("verb", ["replay", "discard"])
def test_order_that_means_nothing_is_refused_and_changes_nothing(
    office: Office, verb: str, order: bytes, says: str
) -> None:
    answer = office.api.post(f"{LETTERS}/{verb}", content=order, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:claimcheck:problem:malformed-request")
    assert says in answer.json()["detail"]


def test_order_that_goes_on_and_on_is_refused(office: Office) -> None:
    answer = office.api.post(f"{LETTERS}/discard", content=(b" " * 8192 for _ in range(20)))
    assert (answer.status_code, answer.json()["type"]) == (413, "urn:claimcheck:problem:upload-too-large")


@pytest.mark.parametrize(
    "text",
    ["x", "default:1:speech:1:2", "default:0f9619ff-8b86-4d01-b42d-00cf4fc964ff:speech:1:2026-03-14T09:26:53.589Z"],
)
def test_id_that_nobody_has_is_404(office: Office, text: str) -> None:
    answer = office.api.get(f"{LETTERS}/{text}")
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:claimcheck:problem:letter-not-found")


async def test_ids_are_as_the_description_says(office: Office) -> None:
    for letter in (await office.letter(None), await office.letter(await office.job())):
        assert re.fullmatch(LETTER_ID, letter_id(letter))


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("key", [*KEYS.values(), "cck_key-of-nobody", ""])
def test_only_an_operators_key_opens_them(running: System, method: str, path: str, key: str) -> None:
    headers = {"X-API-Key": key} if key else {}
    answer = httpx.request(method, f"{running.process_url}{path}", headers=headers, json={"all": True, "dry_run": True})
    problem = ("operators-only", 403) if key else ("unauthenticated", 401)
    assert (answer.json()["type"].rpartition(":")[2], answer.status_code) == problem


async def unmoved(office: Office, hours: float, **changes: Any) -> Job:
    """A job that last moved so long ago."""
    changes = {"status": Status.QUEUED, "task": "unheard-of", **changes}
    return await office.job(**changes, moved_at=datetime.now(UTC) - timedelta(hours=hours))


async def test_jobs_of_all_tenants_that_do_not_move_are_shown_those_first_that_waited_longest(office: Office) -> None:
    now = datetime.now(UTC)
    queued = await unmoved(office, 50)
    running = await unmoved(office, 51, status=Status.RUNNING, tenant="acme")
    due = await unmoved(office, 52, due_at=now - timedelta(hours=49))
    others = [
        await unmoved(office, 60, status=Status.FAILED),
        await unmoved(office, 61, due_at=now + timedelta(hours=1)),
        await unmoved(office, 40),
    ]
    answer = office.api.get("/v1/operator/jobs/stuck", params={"older_than": "48h"}).json()
    assert [job["id"] for job in answer["jobs"]] == [due.job_id, running.job_id, queued.job_id]
    assert (answer["unmoved_s"], answer["more"]) == (48 * 3600, False)
    shown = answer["jobs"][1]
    assert (shown["tenant"], shown["status"], shown["stage"], shown["attempt"]) == ("acme", "running", "probe", 1)
    assert (shown["moved_at"], shown["deadline_at"]) == (timestamp(running.moved_at), timestamp(running.deadline_at))
    assert "running_since" not in shown
    first = office.api.get("/v1/operator/jobs/stuck", params={"older_than": "48h", "limit": 1}).json()
    assert ([job["id"] for job in first["jobs"]], first["more"]) == ([due.job_id], True)
    five_leases = office.api.get("/v1/operator/jobs/stuck", params={"limit": 100}).json()
    assert five_leases["unmoved_s"] == 25
    assert {others[2].job_id, queued.job_id} <= {job["id"] for job in five_leases["jobs"]}
    assert not {others[0].job_id, others[1].job_id} & {job["id"] for job in five_leases["jobs"]}


@pytest.mark.parametrize("query", ["older_than=", "older_than=5", "limit=x", "after=x"])
def test_stuck_query_that_means_nothing_is_refused(office: Office, query: str) -> None:
    assert office.api.get(f"/v1/operator/jobs/stuck?{query}").status_code == httpx.codes.BAD_REQUEST
