"""claimcheck/commands/up/preparation.py: models come beside other work; one that cannot be had stops nobody."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from claimcheck import demonstration
from claimcheck.commands.up.errors import ModelMissing
from claimcheck.commands.up.preparation import demonstration_file, fetching
from tests.stack.children import children_with
from tests.stack.components import ROOT
from tests.stack.waiting import until

FETCHER = "services.worker.engines.model_sources"


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def silent_hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A hub that takes connections and never answers, and a long patience with it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setenv("CLAIMCHECK_SPEECH__HUB_TIMEOUT_S", "60")
        yield


def _fetchers() -> list[psutil.Process]:
    return children_with(FETCHER)


def test_what_is_there_is_not_fetched(tmp_path: Path, said: list[str]) -> None:
    for name, weights in (("base", "model.bin"), (demonstration.NAME, demonstration.FILE)):
        (tmp_path / name).mkdir()
        (tmp_path / name / weights).write_bytes(b"x")

    with fetching(ROOT, ["base", demonstration.NAME, str(tmp_path)], tmp_path, said.append) as fetched:
        assert _fetchers() == []
        assert fetched.wait("base") == tmp_path / "base"
        assert demonstration_file(fetched, said.append) == tmp_path / demonstration.NAME / demonstration.FILE
    assert said == []


def test_models_are_fetched_at_once_and_no_further_when_something_else_fails(
    silent_hub: None, tmp_path: Path, said: list[str]
) -> None:
    def fails() -> None:
        with fetching(ROOT, ["base", "tiny.en", "base"], tmp_path, said.append):
            until(lambda: len(_fetchers()) == 2, "both are being fetched")  # A new process has no arguments at first.
            raise LookupError("something else")

    with pytest.raises(LookupError):
        fails()
    assert _fetchers() == []


def test_a_whisper_model_that_cannot_be_had_is_named(tmp_path: Path, said: list[str]) -> None:
    # From a folder without the programs nothing can be fetched.
    with (
        fetching(tmp_path, ["base"], tmp_path / "models", said.append) as fetched,
        pytest.raises(ModelMissing, match=r"'base' could not be fetched .* CLAIMCHECK_SPEECH__MODEL"),
    ):
        fetched.wait("base")


def test_without_the_demonstration_model_everything_else_starts_and_it_is_said(tmp_path: Path, said: list[str]) -> None:
    with fetching(tmp_path, [demonstration.NAME], tmp_path / "models", said.append) as fetched:
        assert demonstration_file(fetched, said.append) is None
    assert said[-1] == "Without a demonstration model: it could not be fetched (see above)."


def test_a_machine_for_which_there_is_no_xllamacpp_does_without(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: list[str]
) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)  # how Python remembers a package that is not there
    with fetching(ROOT, [], tmp_path, said.append) as fetched:
        assert demonstration_file(fetched, said.append) is None
    assert said == ["Without a demonstration model: the package xllamacpp is not to be had for this machine."]
