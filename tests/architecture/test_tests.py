"""What tests may not do: replace our own code or an SDK by a mock, or sleep and hope."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.architecture.source import calls, files, imports_under, tree

MAY_SLEEP = {
    "tests/plugin/claimcheck_probe.py": "is no test: its tasks take as long as their options say",
}


def test_no_test_imports_mocks() -> None:
    found = {str(path): names for path in files("tests") if (names := imports_under(path, "unittest.mock", "mock"))}
    assert found == {}


def test_no_test_replaces_code() -> None:
    replaced = {
        f"{path}:{call.lineno}"
        for path in files("tests")
        for name, call in calls(path)
        if name == "monkeypatch.setattr" and not _is_constant(call.args)
    }
    assert replaced == set()


def test_tests_wait_for_conditions_and_never_just_sleep() -> None:
    sleepers = {
        f"{path}:{call.lineno}"
        for path in files("tests")
        if str(path) not in MAY_SLEEP
        for name, call in calls(path)
        if name in {"time.sleep", "asyncio.sleep", "sleep"} and not _yields(call) and call not in _polls(path)
    }
    assert sleepers == set()


def _is_constant(arguments: list[ast.expr]) -> bool:
    """`setattr(module, "LIMIT_BYTES", 10, ...)` makes a limit reachable and replaces no code."""
    name = arguments[1]
    return isinstance(name, ast.Constant) and str(name.value).isupper()


def _yields(call: ast.Call) -> bool:
    """`sleep(0)` lets others run and waits for nothing."""
    return [ast.unparse(argument) for argument in call.args] == ["0"]


def _polls(path: Path) -> set[ast.AST]:
    """What is inside a `while`: a sleep there waits for the loop's condition."""
    return {inside for loop in ast.walk(tree(path)) if isinstance(loop, ast.While) for inside in ast.walk(loop)}
