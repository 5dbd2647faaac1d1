"""What a program does whose settings are refused: it says so in a line, and ends."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from claimcheck.settings import environment_for_child
from claimcheck.settings.refusing import REFUSED
from tests.architecture.source import ROOT

ENDPOINTS = "CLAIMCHECK_LANGUAGE__ENDPOINTS"
SECRET = "a-key-of-a-person"
BROKEN = {ENDPOINTS: f'[{{"key": "{SECRET}"'}
SERVICES = (
    ("services.process_api",),
    ("services.status_api",),
    ("services.worker", "--role", "keeper"),
    ("services.worker", "--role", "language"),
)


def _refusal(command: tuple[str, ...], variables: Mapping[str, str], folder: Path) -> tuple[int, str]:
    """The exit status, and all that it wrote."""
    stores = {"CLAIMCHECK_BLOBS__ACCOUNT_URL": "http://127.0.0.1:1", "CLAIMCHECK_QUEUE__NAMESPACE": "x.test"}
    own = {"CLAIMCHECK_LOCAL__DIR": str(folder), "CLAIMCHECK_WORKER__SCRATCH_DIR": str(folder / "scratch")}
    ended = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=environment_for_child({**stores, **own, **variables}),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return ended.returncode, ended.stdout + ended.stderr


@pytest.mark.parametrize("command", SERVICES, ids=" ".join)
def test_service_with_a_setting_that_is_wrong_says_which_and_ends(command: tuple[str, ...], tmp_path: Path) -> None:
    assert _refusal(command, BROKEN, tmp_path) == (
        REFUSED,
        f"the settings are refused:\n{ENDPOINTS}: its value is no JSON\n",
    )


@pytest.mark.parametrize(
    ("command", "begins"),
    [("up", "claimcheck cannot start"), ("setup", "claimcheck setup failed")],
)
def test_commands_say_the_same(command: str, begins: str, tmp_path: Path) -> None:
    status, output = _refusal(("claimcheck.commands", command), BROKEN, tmp_path)

    assert (status, output) == (REFUSED, f"{begins}: {ENDPOINTS}: its value is no JSON\n")


@pytest.mark.parametrize("command", ["stop", "running"])
def test_commands_that_read_the_machines_settings_alone_say_it_too(command: str, tmp_path: Path) -> None:
    variables = {"CLAIMCHECK_LOCAL__DRAIN_S": "soon"}
    status, output = _refusal(("claimcheck.commands", command), variables, tmp_path)

    why = "CLAIMCHECK_LOCAL__DRAIN_S is 'soon': Input should be a valid number, unable to parse string as a number"
    assert (status, output) == (REFUSED, f"the settings are refused:\n{why}\n")


@pytest.mark.parametrize(
    ("command", "begins"),
    [
        (("services.worker", "--role", "language"), "the settings are refused:\n"),
        (("claimcheck.commands", "up"), "claimcheck cannot start: "),
    ],
    ids=["worker", "up"],
)
def test_who_asks_models_does_not_start_without_a_key(command: tuple[str, ...], begins: str, tmp_path: Path) -> None:
    sweden = {"name": "sweden", "kind": "azure", "url": "https://x.test", "model": "m", "key_variable": "KEY_OF_MINE"}
    status, output = _refusal(command, {ENDPOINTS: json.dumps([sweden])}, tmp_path)

    why = "the endpoint sweden takes its key from KEY_OF_MINE, and there is no such variable, or it is empty"
    assert (status, output) == (REFUSED, f"{begins}{why}\n")
