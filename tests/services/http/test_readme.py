"""What the README shows, run as it is printed, ends in the transcript."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from claimcheck.settings import environment_for_child
from tests.browser.recordings import SPEECH, tone
from tests.stack.components import ROOT
from tests.stack.system import System

DEADLINE_S = 60


def story(section: str, language: str) -> str:
    """The commands, or the program, that a section of the README shows."""
    (text,) = re.findall(rf"^## {section}$(.*?)^## ", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    (commands,) = re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return str(commands)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the reader has a recording called `talk.mp3`."""
    shutil.copy(SPEECH if SPEECH.is_file() else tone(tmp_path / "tone.wav"), tmp_path / "talk.mp3")
    return tmp_path


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
