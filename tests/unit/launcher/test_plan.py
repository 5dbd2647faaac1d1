"""claimcheck/commands/up/plan.py and summary.py: settings in, programs and addresses out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from claimcheck.commands.up.node import Node
from claimcheck.commands.up.plan import Plan, Program, connections, make_plan, ports_of, with_matching_addresses
from claimcheck.commands.up.summary import ready_lines
from claimcheck.settings import LocalSettings, Settings, SpeechSettings, WebSettings
from claimcheck.tasks import QueueKind

ROOT = Path("/claimcheck")
MODEL = Path("/data/models/demo.gguf")
USED: tuple[QueueKind, ...] = ("speech", "language")


def _settings(local: LocalSettings, **groups: Any) -> Settings:
    return Settings(**connections(local), **groups)  # type: ignore[arg-type]


def _plan(local: LocalSettings, *, demonstration: Path | None = MODEL, **groups: Any) -> Plan:
    node = Node(Path("/bin/node"), ("/bin/npm",))
    return make_plan(ROOT, local, _settings(local, **groups), node, queues=USED, demonstration=demonstration)


def _by_name(plan: Plan) -> dict[str, Program]:
    return {program.name: program for program in (*plan.foundations, *plan.services)}


def test_the_foundations_come_before_what_stands_on_them() -> None:
    plan = _plan(LocalSettings(speech_workers=2))

    assert [program.name for program in plan.foundations] == ["azurite", "service-bus", "cosmos", "demo-model"]
    apis, workers = ["process-api", "status-api"], ["speech-1", "speech-2", "language-1"]
    assert [program.name for program in plan.services] == [*apis, *workers, "keeper"]


def test_workers_share_the_scratch_folder_and_no_port() -> None:
    programs = _by_name(_plan(LocalSettings(speech_workers=2, worker_port=9000, dir=Path("/data"))))
    first, second = programs["speech-1"].variables, programs["speech-2"].variables

    assert (first["CLAIMCHECK_WORKER__HEALTH_PORT"], second["CLAIMCHECK_WORKER__HEALTH_PORT"]) == ("9000", "9001")
    assert first["CLAIMCHECK_WORKER__SCRATCH_DIR"] == second["CLAIMCHECK_WORKER__SCRATCH_DIR"] == "/data/scratch"


@pytest.mark.parametrize("workers", [0, 2])
def test_the_keeper_has_the_port_after_the_workers(workers: int) -> None:
    local = LocalSettings(speech_workers=workers, language_workers=3, worker_port=9000)
    keeper = _by_name(_plan(local))["keeper"]

    assert keeper.command[-2:] == ("--role", "keeper")
    assert keeper.port == 9000 + workers + 3
    assert keeper.variables["CLAIMCHECK_WORKER__HEALTH_PORT"] == str(keeper.port)


def test_everything_is_kept_in_the_one_folder() -> None:
    plan = _plan(LocalSettings(dir=Path("/data")))

    for program in plan.foundations:
        assert [part for part in program.command if part.startswith("/data/")], program.name
    assert _by_name(plan)["speech-1"].variables["CLAIMCHECK_SPEECH__MODELS_DIR"] == "/data/models"


def test_a_models_folder_that_somebody_has_set_is_used() -> None:
    plan = _plan(LocalSettings(), speech=SpeechSettings(models_dir=Path("/models")))

    assert _by_name(plan)["speech-1"].variables["CLAIMCHECK_SPEECH__MODELS_DIR"] == "/models"


def test_every_program_is_led_to_the_local_services() -> None:
    plan = _plan(LocalSettings(blob_port=1001, service_bus_port=1002, cosmos_port=1003))

    for program in plan.services:
        assert "http://127.0.0.1:1001/devstoreaccount1;" in program.variables["CLAIMCHECK_BLOBS__CONNECTION_STRING"]
        assert program.variables["CLAIMCHECK_QUEUE__CONNECTION_STRING"].startswith("Endpoint=sb://127.0.0.1:1002;")
        assert program.variables["CLAIMCHECK_RECORDS__ENDPOINT"] == "http://127.0.0.1:1003"


@pytest.mark.parametrize(
    ("given", "process_url", "status_url", "origins"),
    [
        pytest.param(
            {},
            *("http://localhost:8000", "http://localhost:8001"),
            ["http://localhost:8000", "http://127.0.0.1:8000"],
            id="nothing",
        ),
        pytest.param(
            {"process_port": 9000, "status_port": 9001},
            *("http://localhost:9000", "http://localhost:9001"),
            ["http://localhost:9000", "http://127.0.0.1:9000"],
            id="only ports",
        ),
        pytest.param(
            {"process_port": 9000, "process_url": "https://jobs.test/"},
            *("https://jobs.test", "http://localhost:8001"),
            ["https://jobs.test", "http://localhost:9000", "http://127.0.0.1:9000"],
            id="a proxy in front",
        ),
        pytest.param(
            {"process_port": 9000, "origins": ("https://page.test",)},
            *("http://localhost:9000", "http://localhost:8001"),
            ["https://page.test"],
            id="origins",
        ),
    ],
)
def test_addresses_follow_the_ports_unless_they_are_set(
    given: dict[str, Any], process_url: str, status_url: str, origins: list[str]
) -> None:
    web = with_matching_addresses(WebSettings(**given))

    variables = _by_name(_plan(LocalSettings(), web=web))["process-api"].variables

    assert variables["CLAIMCHECK_WEB__PROCESS_URL"] == process_url
    assert variables["CLAIMCHECK_WEB__STATUS_URL"] == status_url
    assert json.loads(variables["CLAIMCHECK_WEB__ORIGINS"]) == origins


def test_every_port_that_is_listened_on_is_checked_first() -> None:
    local = LocalSettings(speech_workers=3, language_workers=2)

    checked = {use.port for use in ports_of(local, _settings(local), USED)}

    assert {program.port for program in _by_name(_plan(local)).values()} <= checked
    assert local.service_bus_port in checked


def test_the_ready_line_is_the_last_and_the_frame_is_straight() -> None:
    web = with_matching_addresses(WebSettings(process_port=9000))
    *frame, last = ready_lines(LocalSettings(), web, {"Language": "a model"})

    assert last == "claimcheck ready: http://localhost:9000/"
    assert len({len(line) for line in frame}) == 1
    assert frame[0] == frame[-1]


def test_the_committed_queues_are_the_ones_that_the_settings_name() -> None:
    config = json.loads((Path(__file__).parents[3] / "infra" / "local" / "Config.json").read_text())
    queues = {q["Name"]: q["Properties"] for ns in config["UserConfig"]["Namespaces"] for q in ns["Queues"]}
    settings = Settings(**connections(LocalSettings()))  # type: ignore[arg-type]

    assert set(queues) == {settings.queue.media, settings.queue.speech, settings.queue.language}
    for properties in queues.values():
        assert properties["LockDuration"] == "PT1M"
        assert settings.queue.lease_s == 60
        assert properties["MaxDeliveryCount"] == 10 > settings.job.max_attempts
        assert properties["DefaultMessageTimeToLive"] == "P2D"
        assert settings.job.deadline_s < 48 * 3600
        assert properties["DeadLetteringOnMessageExpiration"] is True
        assert properties["RequiresDuplicateDetection"] is True
        assert properties["DuplicateDetectionHistoryTimeWindow"] == "PT10M"
