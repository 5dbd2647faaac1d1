"""What the README shows, run as it is printed, ends as it says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from claimcheck.settings import LanguageSettings, environment_for_child
from tests.browser.recordings import SPEECH, tone
from tests.conftest import RunSystem
from tests.services.documents import papers
from tests.stack.components import ROOT
from tests.stack.demonstration import demonstration_model
from tests.stack.system import System

DEADLINE_S = 180


def story(section: str, language: str) -> str:
    """The commands, or the program, that a section of the README shows."""
    (text,) = re.findall(rf"^## {section}$(.*?)^## ", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    (commands,) = re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return str(commands)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the reader has files called `talk.mp3`, `report.pdf` and `photo.jpg`."""
    shutil.copy(SPEECH if SPEECH.is_file() else tone(tmp_path / "tone.wav"), tmp_path / "talk.mp3")
    (tmp_path / "report.pdf").write_bytes(papers.pdf([["The bridge needs repair before winter."]]))
    Image.new("RGB", (64, 48), "teal").save(tmp_path / "photo.jpg")
    return tmp_path


@pytest.fixture(scope="module")
def demonstrating(run_system: RunSystem, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """What `make run` starts where no endpoint is configured, as far as language models are concerned."""
    with demonstration_model(tmp_path_factory.mktemp("demo-model")) as model:
        short = {"CLAIMCHECK_LANGUAGE__MAX_OUTPUT_TOKENS": "16"}  # a core that others use too writes 20 a second
        with run_system(workers=0, language_workers=1, env={**model.variables(), **short}) as system:
            yield system


def run(command: list[str], system: System, folder: Path) -> str:
    """What the command prints. Only the ports differ from what is printed: another system may hold those here."""
    there = {"http://localhost:8000": system.process_url, "http://localhost:8001": system.status_url}
    for printed, actual in there.items():
        command = [part.replace(printed, actual) for part in command]
    client = {
        "CLAIMCHECK_CLIENT__PROCESS_URL": system.process_url,
        "CLAIMCHECK_CLIENT__STATUS_URL": system.status_url,
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
    }
    ran = subprocess.run(
        command,
        cwd=folder,
        env=environment_for_child(client),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.timeout(DEADLINE_S + 30)
def test_curl_story_of_the_readme_ends_in_the_transcript(running: System, folder: Path) -> None:
    said = run(["bash", "-euo", "pipefail", "-c", story("With curl", "sh")], running, folder)
    assert "202 Accepted" in said
    waited, listed = said[said.rindex('{"v":1,"id"') :], said[said.rindex('{"v":1,"jobs"') :]
    assert '"status":"succeeded"' in waited
    assert '"jobs":[{' in listed
    if SPEECH.is_file():
        assert said.count("ask not what your country can do for you") >= 2
        assert re.search(r"^\d\d:\d\d:\d\d,\d{3} --> ", said, re.MULTILINE)


@pytest.mark.timeout(DEADLINE_S + 30)
def test_commands_of_the_readme_work(running: System, folder: Path) -> None:
    said = run(["bash", "-euo", "pipefail", "-c", story("With the client", "sh")], running, folder)
    assert "-->" in (folder / "talk.srt").read_text() or not SPEECH.is_file()
    assert "ask not what your country can do for you" in said or not SPEECH.is_file()
    assert "talk.mp3" in said, "the list of jobs"


@pytest.mark.timeout(DEADLINE_S + 30)
def test_program_of_the_readme_prints_the_transcript(running: System, folder: Path) -> None:
    said = run([sys.executable, "-c", story("With the client", "python")], running, folder)
    assert "ask not what your country can do for you" in said or not SPEECH.is_file()


@pytest.mark.timeout(DEADLINE_S + 60)
def test_language_models_answer_as_the_readme_says(demonstrating: System, folder: Path) -> None:
    said = run(["bash", "-euo", "pipefail", "-c", story("Language models", "sh")], demonstrating, folder)
    completed, summarized, described, models = _values(said)

    for job in (completed, summarized):
        assert job["status"] == "succeeded", job
        assert job["result"]["demonstration"] is True
        assert job["result"]["usage"]["output_tokens"] > 0
    assert summarized["result"]["pages"] == 1
    assert described["error"]["type"] == "urn:claimcheck:problem:no-endpoint"
    for variable in ("AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_DEPLOYMENT", "OPENAI_API_KEY"):
        assert variable in described["error"]["detail"]
    assert models["data"][0]["demonstration"] is True


def test_endpoints_of_the_readme_are_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "endpoints.json"
    file.write_text(story("Language models", "json"))
    monkeypatch.setenv("OPENAI_API_KEY", "a-key")

    azure, openai = LanguageSettings(endpoints_file=file).endpoints

    assert (azure.kind, azure.key, azure.priority) == ("azure", None, 0)
    assert openai.key is not None
    assert openai.priority > azure.priority
    assert "vision" in azure.capabilities & openai.capabilities


def _values(text: str) -> list[Any]:
    """The JSON values that several commands have printed one after another."""
    found, at = [], 0
    while rest := text[at:].lstrip():
        value, taken = json.JSONDecoder().raw_decode(rest)
        found.append(value)
        at = len(text) - len(rest) + taken
    return found
