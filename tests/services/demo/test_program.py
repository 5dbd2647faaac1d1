"""`python -m services.demo_model`: what it keeps to itself, and how it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx

from claimcheck import demonstration
from tests.stack.components import ROOT
from tests.stack.demonstration import DemonstrationModel, chat, demonstration_model

ENDED_S = 10.0  # All of the answer would take longer.
PROMPT = "tangerine-and-umbrella"


def refused(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The program with arguments with which it does not start."""
    command = [sys.executable, "-m", "services.demo_model", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_prompts_are_neither_logged_nor_shown_to_others(demo_model: DemonstrationModel) -> None:
    with httpx.Client(base_url=demo_model.url, timeout=60) as client:
        assert client.post("/v1/chat/completions", content=chat(PROMPT, max_tokens=2)).is_success
        too_long = client.post("/v1/chat/completions", content=chat(PROMPT * demonstration.CONTEXT_TOKENS))
        assert too_long.status_code == httpx.codes.BAD_REQUEST
        broken = client.post("/v1/chat/completions", content=b'{"messages": ' + PROMPT.encode())
        assert broken.is_client_error or broken.is_server_error
        assert not client.get("/slots").is_success
        assert not client.get("/").is_success
    assert PROMPT not in demo_model.program.output()


def test_web_pages_of_others_are_not_let_in(demo_model: DemonstrationModel) -> None:
    answer = httpx.get(f"{demo_model.url}/v1/models", headers={"Origin": "https://page.test"}, timeout=60)

    assert answer.is_success
    assert not answer.headers.get("Access-Control-Allow-Origin")
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_port_that_is_taken_is_named(demo_model: DemonstrationModel) -> None:
    outcome = refused("--port", str(demo_model.port), "--model", demo_model.program.command[5])

    assert outcome.returncode == 1
    assert f"cannot be served at port {demo_model.port}" in outcome.stderr


def test_without_a_model_it_says_how_to_get_one(tmp_path: Path) -> None:
    outcome = refused("--port", "0", "--model", str(tmp_path / "none.gguf"))

    assert outcome.returncode == 1
    assert f"`claimcheck setup --models {demonstration.NAME}` gets it" in outcome.stderr


def test_it_ends_at_once_in_the_middle_of_an_answer(tmp_path: Path) -> None:
    with demonstration_model(tmp_path) as running:
        process = running.program.process
        assert process is not None
        body = chat("Count.", stream=True, ignore_eos=True)
        with httpx.stream("POST", f"{running.url}/v1/chat/completions", content=body, timeout=60) as answer:
            next(answer.iter_lines())
            asked_at = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(ENDED_S) == -signal.SIGTERM
        assert time.monotonic() - asked_at < ENDED_S
