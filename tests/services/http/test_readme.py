"""README's story, run as it is printed, ends in the transcript."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.browser.recordings import SPEECH, tone
from tests.stack.components import ROOT
from tests.stack.system import System

DEADLINE_S = 60


def story() -> str:
    """The shell commands of the section that shows the API with curl."""
    (commands,) = re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    return str(commands)


@pytest.mark.timeout(DEADLINE_S + 30)
def test_curl_story_of_the_readme_ends_in_the_transcript(running: System, tmp_path: Path) -> None:
    spoken = SPEECH.is_file()
    shutil.copy(SPEECH if spoken else tone(tmp_path / "tone.wav"), tmp_path / "talk.mp3")
    # Only the port differs from what is printed: another system may hold it here.
    commands = story().replace("http://localhost:8000", running.process_url)
    assert commands != story()
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "202 Accepted" in ran.stdout
    if spoken:
        assert "ask not what your country can do for you" in ran.stdout
        assert re.search(r"^\d\d:\d\d:\d\d,\d{3} --> ", ran.stdout, re.MULTILINE)
