"""claimcheck/commands/up/preparation.py and azurite.py: who gets what is missing is told no key."""

from __future__ import annotations

from pathlib import Path

import pytest

from claimcheck.commands.up.azurite import ensure_azurite
from claimcheck.commands.up.preparation import fetching

KEYS = ("KEY_OF_MINE", "OPENAI_API_KEY")
FETCHER = """
import os, pathlib
pathlib.Path("told").write_text(" ".join(os.environ))
"""


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KEYS:
        monkeypatch.setenv(name, "a-key-of-a-person")


def test_fetcher_of_models_is_told_no_key(tmp_path: Path) -> None:
    package = tmp_path / "services" / "worker" / "engines"
    package.mkdir(parents=True)
    for folder in (package, *package.parents[:2]):
        (folder / "__init__.py").touch()
    (package / "model_sources.py").write_text(FETCHER)

    with fetching(tmp_path, ["base"], tmp_path / "models", print, without=KEYS) as fetched:
        fetched.wait("base")

    told = (tmp_path / "told").read_text().split()
    assert "CLAIMCHECK_SPEECH__MODELS_DIR" in told
    assert not set(KEYS) & set(told)


def test_npm_is_told_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "bin"
    (tmp_path / "node_modules").mkdir()
    programs.mkdir()
    for name, script in (("node", "echo v24.0.0"), ("npm", f"env > {tmp_path / 'told'}")):
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    for name in ("package.json", "package-lock.json"):
        (tmp_path / name).write_text("{}")
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")

    ensure_azurite(tmp_path, print, without=KEYS)

    told = {line.partition("=")[0] for line in (tmp_path / "told").read_text().splitlines()}
    assert "PATH" in told
    assert not set(KEYS) & told
