"""claimcheck/commands/up/language.py: who asks which model, and who knows its key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from claimcheck import demonstration
from claimcheck.commands.up.language import ENDPOINTS, wants_demonstration
from claimcheck.commands.up.node import Node
from claimcheck.commands.up.plan import Program, connections, make_plan, ports_of
from claimcheck.commands.up.summary import language_rows
from claimcheck.settings import Endpoint, LanguageSettings, LocalSettings, Settings
from claimcheck.tasks import QueueKind

QUEUES: tuple[QueueKind, ...] = ("speech", "language")
NODE = Node(Path("/bin/node"), ("/bin/npm",))
ASKING = ("speech-1", "language-1")
TOLD_NO_KEY = ("process-api", "status-api", "keeper")
SECRET = "a-key-of-a-person"
STANDARD: list[dict[str, str]] = [
    {"OPENAI_API_KEY": SECRET},
    {"OPENAI_BASE_URL": "http://127.0.0.1:1/v1"},
    {"AZURE_OPENAI_ENDPOINT": "https://x.openai.azure.com", "AZURE_OPENAI_DEPLOYMENT": "gpt-4o"},
    {ENDPOINTS: json.dumps([{"name": "own", "url": "https://x.test", "model": "m", "key": SECRET}])},
]


def _settings(local: LocalSettings, **groups: Any) -> Settings:
    return Settings(**connections(local), **groups)  # type: ignore[arg-type]


def _programs(settings: Settings, model: Path | None = None) -> dict[str, Program]:
    plan = make_plan(Path("/claimcheck"), LocalSettings(), settings, NODE, queues=QUEUES, demonstration=model)
    return {program.name: program for program in (*plan.foundations, *plan.services)}


def _told(program: Program) -> list[Endpoint]:
    return [Endpoint.model_validate(fields) for fields in json.loads(program.variables[ENDPOINTS])]


def test_without_an_endpoint_everybody_is_led_to_the_demonstration_model() -> None:
    local = LocalSettings()
    settings = _settings(local)
    programs = _programs(settings, Path("/models/demo.gguf"))

    assert wants_demonstration(local, settings, QUEUES)
    assert "demo-model" in {use.user for use in ports_of(local, settings, QUEUES)}
    assert "/models/demo.gguf" in programs["demo-model"].command
    for name in (*ASKING, *TOLD_NO_KEY):
        assert _told(programs[name]) == [demonstration.endpoint("127.0.0.1", local.demo_model_port)], name


def test_demonstration_model_can_chat_and_nothing_else_and_says_what_it_is() -> None:
    made = demonstration.endpoint("127.0.0.1", 8082)

    assert made.capabilities == {"chat"}
    assert made.demonstration
    assert made.key is None
    assert (made.concurrency, made.context_tokens) == (demonstration.SLOTS, demonstration.CONTEXT_TOKENS)


@pytest.mark.parametrize(("given", "told"), [({}, "180"), ({"call_s": 60}, None)], ids=["unset", "set"])
def test_workers_are_patient_with_the_demonstration_model_unless_told_otherwise(
    given: dict[str, Any], told: str | None
) -> None:
    programs = _programs(_settings(LocalSettings(), language=LanguageSettings(**given)), Path("/models/demo.gguf"))

    assert programs["language-1"].variables.get("CLAIMCHECK_LANGUAGE__CALL_S") == told


@pytest.mark.parametrize("variables", STANDARD, ids=lambda variables: next(iter(variables)))
def test_with_an_endpoint_no_demonstration_model_is_started_and_no_port_taken(
    variables: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    local = LocalSettings()
    settings = _settings(local)

    assert not wants_demonstration(local, settings, QUEUES)
    assert "demo-model" not in {use.user for use in ports_of(local, settings, QUEUES)}
    assert "demo-model" not in _programs(settings)


@pytest.mark.parametrize("given", [{"language_workers": 0}, {}], ids=["no worker", "no task"])
def test_nobody_who_asks_needs_no_demonstration_model(given: dict[str, Any]) -> None:
    local = LocalSettings(**given)
    queues: tuple[QueueKind, ...] = QUEUES if given else ("speech",)

    assert not wants_demonstration(local, _settings(local), queues)


@pytest.mark.parametrize("variables", [STANDARD[0], STANDARD[3]], ids=["standard", "listed"])
def test_keys_are_told_to_workers_alone(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    programs = _programs(_settings(LocalSettings()))

    for name, program in programs.items():
        assert SECRET not in repr(program)
        inherited = set(variables) - set(program.without)
        assert bool(inherited) == (name in ASKING), name
    for name in TOLD_NO_KEY:
        (endpoint,) = _told(programs[name])
        assert endpoint.key is None


def test_key_in_a_variable_of_the_clients_own_is_told_to_workers_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY_OF_MINE", SECRET)
    endpoint = Endpoint.model_validate(
        {"name": "mine", "url": "https://x.test", "model": "m", "key_variable": "KEY_OF_MINE", "priority": 1}
    )
    programs = _programs(_settings(LocalSettings(), language=LanguageSettings(endpoints=(endpoint,))))

    assert {name for name, program in programs.items() if "KEY_OF_MINE" not in program.without} == set(ASKING)
    monkeypatch.delenv("KEY_OF_MINE")
    assert _told(programs["status-api"])[0].priority == 1, "it is understood where that variable is not"


def test_file_of_endpoints_is_found_from_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "endpoints.json").write_text(json.dumps([{"name": "a", "url": "https://x.test", "model": "m"}]))
    monkeypatch.chdir(tmp_path)
    language = LanguageSettings(endpoints_file=Path("endpoints.json"))
    programs = _programs(_settings(LocalSettings(), language=language))

    told = programs["language-1"].variables["CLAIMCHECK_LANGUAGE__ENDPOINTS_FILE"]
    assert told == str(tmp_path / "endpoints.json")


@pytest.mark.parametrize(
    ("endpoints", "said"),
    [
        ([], "no model; set OPENAI_API_KEY or AZURE_OPENAI_ENDPOINT"),
        (
            [demonstration.endpoint("127.0.0.1", 1)],
            "a demonstration model; set OPENAI_API_KEY or AZURE_OPENAI_ENDPOINT for a real one",
        ),
        (
            [Endpoint(name=name, url="https://x.test", model="gpt-4o") for name in ("sweden", "openai")],
            "gpt-4o (sweden), gpt-4o (openai)",
        ),
    ],
)
def test_summary_says_which_model_answers(endpoints: list[Endpoint], said: str) -> None:
    assert language_rows(endpoints, [8011])["Language"] == said


def test_summary_says_where_each_worker_shows_its_endpoints() -> None:
    rows = language_rows([], [8011, 8012])
    assert rows["Endpoints"] == "http://127.0.0.1:8011/endpoints, http://127.0.0.1:8012/endpoints"
    assert language_rows([], []) == {"Language": "no worker (CLAIMCHECK_LOCAL__LANGUAGE_WORKERS is 0)"}
