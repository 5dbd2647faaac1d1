"""What `claimcheck verify` is told, hands in, reads, strikes and prints: everything of it that needs no system."""

from __future__ import annotations

import io
import json
import wave
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

from claimcheck.client import answers
from claimcheck.commands.__main__ import main
from claimcheck.commands.verify.calamities import BEYOND_LEASE, draw, pause_s
from claimcheck.commands.verify.reading import flaw, reading_of
from claimcheck.commands.verify.report import LINES, as_text, as_value
from claimcheck.commands.verify.verdict import Finding, Verdict
from claimcheck.commands.verify.window import moment
from claimcheck.commands.verify.workload import RECORDINGS, mark, piece
from tests.unit.claimcheck.client.test_answers import JOB, reply

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
WORKERS = ("speech-1", "speech-2", "language-1")
NAMES = ("azurite", "service-bus", "cosmos", "demo-model", "process-api", "status-api", *WORKERS, "keeper")
ENDED_AT = "2026-03-04T11:00:00.000Z"
PROBLEM = {"type": "urn:claimcheck:problem:no-audio", "title": "No audio", "status": 422, "detail": "it is silent"}


@pytest.mark.parametrize("task", ["transcribe", "probe"])
def test_no_two_uploads_are_the_same_file(task: str) -> None:
    pieces = [piece(task, run, number) for run in ("r1", "r2") for number in range(3 * RECORDINGS)]

    assert len({made.content for made in pieces}) == len(pieces)
    assert len({made.name for made in pieces}) == len(pieces)
    assert all(made.name.startswith((mark("r1"), mark("r2"))) for made in pieces)


def test_recordings_of_one_length_sound_alike_and_others_do_not() -> None:
    first, same, longer = (piece("transcribe", "r", number) for number in (0, RECORDINGS, 1))

    assert (first.input, _sound(first.body)) == (same.input, _sound(same.body))
    assert first.input != longer.input
    assert len(_sound(longer.body)) > len(_sound(first.body))


def test_a_recording_is_a_whole_wave_file_of_the_length_that_it_is_named_for() -> None:
    made = piece("transcribe", "r", 7)

    assert int.from_bytes(made.body[4:8], "little") == len(made.body) - 8
    assert made.input == "1070 ms"
    assert len(_sound(made.body)) == 2 * 16 * 1070


def test_nothing_is_known_of_what_another_task_makes_of_an_upload() -> None:
    assert piece("probe", "r", 1).input is None


def _sound(body: bytes) -> bytes:
    with wave.open(io.BytesIO(body)) as recording:
        return bytes(recording.readframes(recording.getnframes()))


def test_everybody_is_struck_and_azurite_is_never_killed() -> None:
    dice = Random(1)

    drawn = [draw(dice, NAMES, lease_s=60) for _ in range(2_000)]

    kinds = Counter((calamity.how, calamity.victim) for calamity in drawn)
    assert {victim for _, victim in kinds} == set(NAMES)
    assert {how for how, victim in kinds if victim == "azurite"} == {"end", "freeze"}
    for worker in WORKERS:
        assert {how for how, victim in kinds if victim == worker} == {"kill", "freeze"}
    others = set(NAMES) - {"azurite", *WORKERS}
    assert {how for how, victim in kinds if victim in others} == {"kill"}


def test_a_frozen_worker_stays_so_beyond_its_lease() -> None:
    dice = Random(1)

    drawn = [draw(dice, ["speech-1"], lease_s=60) for _ in range(500)]

    frozen = [calamity.for_s for calamity in drawn if calamity.how == "freeze"]
    assert frozen
    assert all(60 * BEYOND_LEASE[0] <= for_s <= 60 * BEYOND_LEASE[1] for for_s in frozen)


def test_the_same_seed_draws_the_same_calamities() -> None:
    def drawn(seed: int) -> list[tuple[str, float]]:
        dice = Random(seed)
        return [(str(draw(dice, NAMES, lease_s=60)), pause_s(dice, 2.0)) for _ in range(50)]

    assert drawn(5) == drawn(5)
    assert drawn(5) != drawn(6)
    assert all(1.0 <= pause <= 3.0 for _, pause in drawn(5))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", "2026-03-04T11:58:30+00:00"),
        ("15m", "2026-03-04T11:45:00+00:00"),
        ("1h", "2026-03-04T11:00:00+00:00"),
        ("7d", "2026-02-25T12:00:00+00:00"),
        ("2026-03-01", "2026-03-01T00:00:00+00:00"),
        ("2026-03-01T10:30", "2026-03-01T10:30:00+00:00"),
        ("2026-03-01T10:30:00+02:00", "2026-03-01T08:30:00+00:00"),
    ],
)
def test_a_moment_is_so_long_ago_or_a_time(text: str, expected: str) -> None:
    assert moment(text, NOW) == datetime.fromisoformat(expected)


@pytest.mark.parametrize("text", ["", "h", "1w", "-1h", "yesterday", "1.5h", "9999999d", "99999999999d"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="15m, 1h, 7d"):
        moment(text, NOW)


def _job(**fields: Any) -> answers.JobView:
    return answers.job(reply(200, {**JOB, **fields}))


@pytest.mark.parametrize(
    ("fields", "is_flawed"),
    [
        pytest.param({"status": "queued"}, False, id="queued"),
        pytest.param({"status": "running", "progress": 0.5}, False, id="running"),
        pytest.param({"status": "running", "result": {}}, True, id="running, with a result"),
        pytest.param({"status": "queued", "ended_at": ENDED_AT}, True, id="queued, with an end"),
        pytest.param({"status": "succeeded", "ended_at": ENDED_AT, "result": {}}, False, id="succeeded"),
        pytest.param({"status": "succeeded", "ended_at": ENDED_AT}, True, id="succeeded without a result"),
        pytest.param({"status": "succeeded", "result": {}}, True, id="succeeded without a time"),
        pytest.param(
            {"status": "succeeded", "ended_at": ENDED_AT, "result": {}, "error": PROBLEM}, True, id="and with an error"
        ),
        pytest.param({"status": "failed", "ended_at": ENDED_AT, "error": PROBLEM}, False, id="failed"),
        pytest.param({"status": "failed", "ended_at": ENDED_AT}, True, id="failed without a problem"),
        pytest.param(
            {"status": "failed", "ended_at": ENDED_AT, "error": {"type": "about:blank"}}, True, id="half a problem"
        ),
        pytest.param({"status": "cancelled", "ended_at": ENDED_AT}, False, id="cancelled"),
    ],
)
def test_an_answer_is_flawed_if_its_parts_contradict_each_other(fields: dict[str, Any], is_flawed: bool) -> None:
    assert bool(flaw(_job(**fields))) is is_flawed


def test_a_reading_is_another_when_anything_final_is() -> None:
    end = {"status": "succeeded", "ended_at": ENDED_AT, "result": {"text": "a", "n": 1}}
    first = reading_of(_job(**end))

    assert reading_of(_job(**{**end, "result": {"n": 1, "text": "a"}})) == first
    assert reading_of(_job(**{**end, "result": {"text": "b", "n": 1}})).result != first.result
    assert reading_of(_job(**{**end, "ended_at": "2026-03-04T11:00:00.001Z"})).end != first.end
    failed = reading_of(_job(status="failed", ended_at=ENDED_AT, error=PROBLEM))
    assert failed.why == "no-audio: it is silent"


VERDICT = Verdict(
    attempted=3,
    acknowledged=2,
    succeeded=1,
    lost=(Finding("id-1", "acknowledged, and then a 404"),),
    unexpected=(),
    duplicated=(),
    recovered=(),
    failed=(Finding("id-2", "worker-died: 5 times"),),
    refusals={"the queue is away": 2},
)


def test_the_report_counts_every_class_names_its_jobs_and_concludes() -> None:
    text = as_text(VERDICT, how={"run": "r", "seed": 7, "calamities": {"kill cosmos": 3}})

    lines = text.splitlines()
    assert lines[:2] == ["claimcheck verify: run r, seed 7", "chaos: kill cosmos 3"]
    assert all(any(line.startswith(f"  {name} ") for line in lines) for name in LINES)
    assert "  lost          id-1  acknowledged, and then a 404" in lines
    assert "  1 x worker-died" in lines
    assert "  2 x the queue is away" in lines
    assert lines[-1].startswith("BROKEN")


def test_what_cannot_be_known_is_not_shown_as_nothing() -> None:
    window = Verdict(succeeded=5, failures_count=False)

    text, value = as_text(window, how={}), as_value(window, how={})

    assert text.count("not known") == 6
    assert value["lost"] is None
    assert value["stuck"] == {"count": 0, "jobs": []}
    assert text.splitlines()[-1].startswith("HOLDS")


def test_the_value_says_the_same_as_the_report() -> None:
    value = json.loads(json.dumps(as_value(VERDICT, how={"run": "r"})))

    assert (value["holds"], value["run"], value["attempted"]) == (False, "r", 3)
    assert value["lost"] == {"count": 1, "jobs": [{"id": "id-1", "why": "acknowledged, and then a 404"}]}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--chaos", "--since", "1h"], "only reads"),
        (["--until", "1h"], "--since says where it begins"),
        (["--since", "soon"], "15m, 1h, 7d"),
        (["--options", "{"], "no JSON"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", *arguments]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--jobs", "0"], ["--concurrency", "-1"], ["--every", "0"], ["--wait-s", "inf"]])
def test_numbers_that_are_none_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["verify", *arguments])
    assert ended.value.code == 2


def test_chaos_without_a_system_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CLAIMCHECK_LOCAL__DIR", str(tmp_path))

    assert main(["verify", "--chaos"]) == 2

    assert f"no system runs in {tmp_path}; `claimcheck up`" in capsys.readouterr().err
