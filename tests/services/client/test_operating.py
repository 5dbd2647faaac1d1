"""What an operator's key opens, through both clients and on the command line."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from claimcheck.client import Client, KeyRefused, LetterFilter, NotFound, Refused
from claimcheck.job import Status
from tests.services.client.command_line import CommandLine, InProcess
from tests.services.client.conftest import KEY, OPERATOR_KEY, Letters, MakeClient
from tests.services.client.scripted import Answer, refusal, scripted
from tests.stack.system import System

UNKNOWN = "ours:0f9619ff-8b86-4d01-b42d-00cf4fc964ff:speech:1:2026-03-14T09:26:53.589Z"


@pytest.fixture
def operator(make_client: MakeClient, running: System) -> Any:
    """What the key opens, of either client."""
    return make_client(running.process_url, running.status_url, key=OPERATOR_KEY).operator


@pytest.fixture
def reason() -> str:
    """One that no other test's letters have."""
    return f"Reason{uuid.uuid4().hex}"


def test_letters_are_listed_shown_replayed_and_discarded(
    operator: Any, api: Client, letters: Letters, reason: str
) -> None:
    ids = letters.keep(3, reason)
    where = LetterFilter(reason=reason, tenant="ours", newer_than="1h")
    assert [letter.id for letter in operator.dead_letters(where)] == ids
    assert [letter.id for letter in operator.dead_letters(where, limit=2)] == ids[:2]
    letter = operator.dead_letter(ids[0])
    assert (letter.job.status, letter.message["stage"], letter.refusal) == ("failed", "probe", None)
    told = list(operator.replay(where, dry_run=True))
    assert [(done.outcome, done.id) for done in told] == [("would-replay", i) for i in ids]
    outcomes = list(operator.replay([ids[0], ids[1]], per_s=50.0))
    assert [done.outcome for done in outcomes] == ["replayed"] * 2
    job = api.wait(outcomes[0].job_id, timeout_s=30)
    assert (job.status, job.retry_of) == ("succeeded", letter.job_id)
    assert [done.id for done in operator.replay(where)] == [ids[2]]
    assert [done.outcome for done in operator.discard(where, limit=2, per_s=50.0)] == ["discarded"] * 2
    assert [letter.id for letter in operator.dead_letters(where)] == ids[2:]


def test_more_letters_than_a_page_are_listed_page_by_page(operator: Any, letters: Letters, reason: str) -> None:
    ids = letters.keep(102, reason)
    assert [letter.id for letter in operator.dead_letters(LetterFilter(reason=reason))] == ids
    outcomes = list(operator.discard(LetterFilter(reason=reason), per_s=100.0))
    assert [done.id for done in outcomes] == ids
    assert {done.outcome for done in outcomes} == {"discarded"}


def test_refusals_raise_and_stuck_jobs_are_told(make_client: MakeClient, running: System, operator: Any) -> None:
    tenants = make_client(running.process_url, running.status_url, key=KEY).operator
    with pytest.raises(KeyRefused):
        tenants.stuck_jobs()
    with pytest.raises(NotFound):
        operator.dead_letter(UNKNOWN)
    with pytest.raises(Refused, match="older_than"):
        operator.stuck_jobs(older_than="2 weeks")
    assert operator.stuck_jobs(older_than="9d").jobs == []


def test_replay_goes_on_after_an_answer_that_was_lost(make_client: MakeClient) -> None:
    done = {"v": 1, "dry_run": False, "letters": [{"id": UNKNOWN, "outcome": "replayed", "job_id": "x"}], "untried": []}
    with scripted(refusal(503, "Busy", "try later"), Answer(200, {**done, "added_later": 1})) as server:
        (outcome,) = make_client(server.url, server.url, key="k").operator.replay([UNKNOWN])
    assert outcome.outcome == "replayed"
    assert [json.loads(asked.body) for asked in server.asked] == [
        {"ids": [UNKNOWN], "dry_run": False, "per_s": 5.0, "force": False}
    ] * 2


def test_command_lists_letters_for_programs_and_shows_one(typed: InProcess, letters: Letters, reason: str) -> None:
    ids = letters.keep(2, reason)
    listed = typed.run("dead-letters", "list", "--reason", reason)
    assert (listed.returncode, listed.stderr) == (0, "")
    rows = [line.split("\t") for line in listed.stdout.splitlines()]
    assert [(row[0], row[2], row[3], row[4]) for row in rows] == [(i, "probe", reason, "-") for i in ids]
    as_json = typed.run("dead-letters", "list", "--reason", reason, "--json", "--limit", "1")
    assert json.loads(as_json.stdout)["id"] == ids[0]
    shown = typed.run("dead-letters", "show", ids[0])
    assert f"reason: {reason}" in shown.stdout.splitlines()
    assert "job.status: failed" in shown.stdout.splitlines()
    assert json.loads(typed.run("dead-letters", "show", ids[0], "--json").stdout)["body_base64"]


def test_command_replays_and_discards(typed: InProcess, api: Client, letters: Letters, reason: str) -> None:
    ids = letters.keep(2, reason)
    told = typed.run("dead-letters", "replay", "--reason", reason, "--dry-run")
    assert [line.split("\t")[:2] for line in told.stdout.splitlines()] == [["would-replay", i] for i in ids]
    done = typed.run("dead-letters", "replay", *ids, "--per-s", "50")
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [row[:2] for row in rows] == [["replayed", i] for i in ids]
    assert api.wait(rows[0][2], timeout_s=30).status == "succeeded"
    dropped = typed.run("dead-letters", "discard", "--reason", reason, "--json")
    assert {json.loads(line)["outcome"] for line in dropped.stdout.splitlines()} == {"discarded"}
    none = typed.run("dead-letters", "discard", "--reason", reason)
    assert (none.returncode, none.stdout, none.stderr) == (0, "", "there is no such dead letter\n")


def test_command_that_is_refused_some_says_which_and_fails(typed: InProcess, letters: Letters, reason: str) -> None:
    (refused,) = letters.keep(1, reason, status=Status.SUCCEEDED)
    done = typed.run("dead-letters", "replay", refused, UNKNOWN)
    assert done.returncode == 1
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert rows == [
        ["refused", refused, "-", "its job is succeeded; force replays it all the same"],
        [
            *("refused", UNKNOWN, "-"),
            "there is no dead letter with this id; it may have been discarded, or its job erased",
        ],
    ]
    assert typed.run("dead-letters", "replay", refused, "--force").returncode == 0


@pytest.mark.parametrize(
    "arguments", [(), ("--all", "--reason", "x"), (UNKNOWN, "--all")], ids=["nothing", "all and some", "one and all"]
)
@pytest.mark.parametrize("verb", ["replay", "discard"])
def test_command_that_does_not_say_which_letters_does_nothing(
    typed: InProcess, verb: str, arguments: tuple[str, ...]
) -> None:
    done = typed.run("dead-letters", verb, *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "give ids, or filters, or --all\n")


def test_command_that_finds_a_service_down_says_so_and_may_be_repeated(typed: InProcess) -> None:
    failed = {"id": UNKNOWN, "outcome": "failed", "problem": {"detail": "Cosmos DB is away"}}
    with scripted(Answer(200, {"v": 1, "dry_run": False, "letters": [failed], "untried": ["x"]})) as server:
        done = typed.run("dead-letters", "replay", UNKNOWN, "--process-url", server.url)
    assert done.returncode == 3
    assert done.stdout == f"failed\t{UNKNOWN}\t-\tCosmos DB is away\n"
    assert done.stderr == "a service that is needed fails; the letters that follow were left alone\n"


def test_command_without_an_operators_key_is_refused(typed: InProcess) -> None:
    for command in (("dead-letters", "list"), ("jobs", "stuck")):
        done = typed.run(*command, CLAIMCHECK_CLIENT__OPERATOR_KEY=KEY)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "An operator key is needed: the API key is not an operator's\n"


def test_stuck_jobs_are_lines_for_programs_and_jobs_goes_without(typed: InProcess, letters: Letters) -> None:
    (letter,) = letters.keep(1, "x", status=Status.RUNNING)
    stuck = typed.run("jobs", "stuck", "--older-than", "0s", "--limit", "100")
    rows = {line.split("\t")[0]: line.split("\t")[1:6] for line in stuck.stdout.splitlines()}
    assert (stuck.returncode, rows[letter.split(":")[1]]) == (0, ["ours", "running", "probe", "probe", "1"])
    assert typed.run("jobs", "stuck", "--older-than", "9d").stdout == ""
    assert typed.run("jobs", "--limit", "1").returncode == 0


def test_jobs_stuck_takes_what_is_given_before_it(typed: InProcess, running: System, letters: Letters) -> None:
    letters.keep(2, "x", status=Status.RUNNING)
    lost = {"CLAIMCHECK_CLIENT__PROCESS_URL": "http://localhost:1"}
    given = ("--process-url", running.process_url, "--json", "--limit", "1")
    stuck = typed.run("jobs", *given, "stuck", "--older-than", "0s", **lost)
    assert (stuck.returncode, stuck.stderr) == (0, "there are more than 1\n")
    assert json.loads(stuck.stdout)["status"]
    for option in ("--status", "--task"):
        refused = typed.run("jobs", option, "running", "stuck")
        assert (refused.returncode, refused.stdout) == (2, "")
        assert "neither --status nor --task" in refused.stderr


def test_terminal_is_told_of_each_letter_as_it_is_dealt_with(command_line: CommandLine) -> None:
    first = {"v": 1, "dry_run": False, "letters": [{"id": UNKNOWN, "outcome": "discarded"}], "untried": ["x"]}
    with scripted(Answer(200, first), refusal(403, "Not allowed", "any more")) as server:
        how = ("--per-s", "50", "--process-url", server.url)
        status, shown = command_line.show_on_terminal("dead-letters", "discard", UNKNOWN, *how)
    assert status == 1
    assert [line.split()[0] for line in shown.splitlines()] == ["discarded", "Not"]


def test_terminal_gets_a_table_with_whole_ids(command_line: CommandLine, letters: Letters, reason: str) -> None:
    ids = letters.keep(1, reason)
    status, shown = command_line.show_on_terminal("dead-letters", "list", "--reason", reason)
    assert status == 0
    titles, row = shown.splitlines()
    assert "STORED" in titles
    assert row.startswith(ids[0])
