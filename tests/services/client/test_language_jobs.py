"""The language tasks from the command line to the answer: texts, documents, images and earlier answers."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from docx import Document
from PIL import Image

from tests.conftest import RunSystem
from tests.services.client.command_line import CommandLine, InProcess
from tests.stack.endpoints import RunEndpoint, ScriptedEndpoint, variables
from tests.stack.system import System


@dataclass(frozen=True)
class Installation:
    """A system with one model that sees."""

    system: System
    endpoint: ScriptedEndpoint


@pytest.fixture(scope="module")
def installation(run_system: RunSystem, run_endpoint: RunEndpoint) -> Iterator[Installation]:
    """Both APIs and a worker of the queue `language`."""
    with run_endpoint(models=["seer"]) as endpoint:
        seer = endpoint.endpoint_settings("seer", capabilities=["chat", "vision", "json"])
        with run_system(workers=0, language_workers=1, env=variables(seer)) as system:
            yield Installation(system, endpoint)


@pytest.fixture
def asked(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> InProcess:
    """`claimcheck`, told of that system."""
    installation.endpoint.clear()
    urls = {
        "CLAIMCHECK_CLIENT__PROCESS_URL": installation.system.process_url,
        "CLAIMCHECK_CLIENT__STATUS_URL": installation.system.status_url,
    }
    return InProcess(CommandLine(tmp_path, urls), monkeypatch, capfd)


def submitted(asked: InProcess, *arguments: str) -> str:
    """What is printed in the end."""
    done = asked.run("submit", *arguments, "--wait")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_text_is_answered_with_text(asked: InProcess, installation: Installation) -> None:
    installation.endpoint.script(answer="Paris.")
    assert submitted(asked, "--text", "What is the capital of France?") == "Paris.\n"


def test_answer_is_json_on_demand(asked: InProcess, installation: Installation) -> None:
    installation.endpoint.script(answer="Paris.")
    printed = submitted(asked, "--text", "Where?", "--option", "model=seer", "--format", "json")
    assert '"text": "Paris."' in printed
    assert '"prompt": "complete/' in printed


def test_image_is_described(asked: InProcess, installation: Installation, tmp_path: Path) -> None:
    installation.endpoint.script(answer={"description": "A teal square.", "tags": ["teal"]})
    Image.new("RGB", (64, 64), "teal").save(tmp_path / "photo.png")
    assert submitted(asked, "photo.png", "--task", "describe") == "A teal square.\n"


def test_document_is_summarized_though_nobody_says_what_it_is(
    asked: InProcess, installation: Installation, tmp_path: Path
) -> None:
    installation.endpoint.script(answer="It is about boats.")
    document, written = Document(), io.BytesIO()
    document.add_paragraph("Boats float. " * 20)
    document.save(written)
    (tmp_path / "paper.docx").write_bytes(written.getvalue())
    assert submitted(asked, "paper.docx", "--task", "summarize") == "It is about boats.\n"


def test_answer_of_an_earlier_job_is_summarized(asked: InProcess, installation: Installation) -> None:
    installation.endpoint.script(answer="Boats float.")
    done = asked.run("submit", "--text", "Tell me of boats.", "--wait")
    job_id = done.stderr.splitlines()[-1].split()[1]
    assert submitted(asked, "--of", job_id) == "Boats float.\n"
    content = installation.endpoint.requests()[-1]["body"]["messages"][-1]["content"]
    assert "Boats float." in content


def test_models_tell_what_each_can_do(asked: InProcess) -> None:
    lines = asked.run("models").stdout.splitlines()
    assert lines[0] == "seer\tcomplete, describe, summarize\tchat, json, vision\t-\t-"
