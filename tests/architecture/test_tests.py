"""What tests may not do: replace our own code or an SDK by a mock, or sleep and hope."""

from __future__ import annotations

import ast

from tests.architecture.source import calls, files, imports_under

MAY_SLEEP = {
    "tests/stack/waiting.py": "polls a condition with a deadline; everyone else calls it",
    "tests/contract/service_bus/harness.py": "the same; the emulators' tests use nothing of the product's",
    "tests/contract/cosmos/conftest.py": "the same",
    "tests/services/speech/test_engine.py": "measures how long the event loop does not turn",
}


def test_no_test_imports_mocks() -> None:
    found = {str(path): names for path in files("tests") if (names := imports_under(path, "unittest.mock", "mock"))}
    assert found == {}


def test_no_test_replaces_an_attribute() -> None:
    assert [str(path) for path in files("tests") for name, _ in calls(path) if name == "monkeypatch.setattr"] == []


def test_tests_wait_for_conditions_and_never_just_sleep() -> None:
    sleepers = {
        f"{path}:{call.lineno}"
        for path in files("tests")
        if str(path) not in MAY_SLEEP
        for name, call in calls(path)
        if name in {"time.sleep", "asyncio.sleep", "sleep"} and not _yields(call.args)
    }
    assert sleepers == set()


def _yields(arguments: list[ast.expr]) -> bool:
    """`sleep(0)` lets others run and waits for nothing."""
    return [ast.unparse(argument) for argument in arguments] == ["0"]
