"""How long modules and functions get, what they are called, and who reads the environment."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.architecture.source import ROOT, files, functions, tree

MODULE_LINES = 300
TEST_MODULE_LINES = 400  # tables of cases are long and easy to read
FUNCTION_LINES = 50

LONGER_MODULES = {
    "emulators/azure_local_emulators/service_bus/queue.py": "one queue's state machine, drawn at its top",
    "claimcheck/errors.py": "the whole tree of errors, each a few lines, so that it is read in one place",
}
# The second for keys that a list of endpoints names and does not hold.
ENVIRONMENT_READERS = ["claimcheck/settings/__init__.py", "claimcheck/settings/language.py"]

# STYLE: names say what a thing is; these say nothing.
EMPTY_NAMES = re.compile(r"utils?|helpers?|manager|common|misc", re.IGNORECASE)


def test_no_module_is_long() -> None:
    too_long = {
        str(path): lines
        for path in files()
        if (lines := len((ROOT / path).read_text().splitlines())) > _limit(path) and str(path) not in LONGER_MODULES
    }
    assert too_long == {}


def _limit(path: Path) -> int:
    return TEST_MODULE_LINES if path.parts[0] == "tests" else MODULE_LINES


def test_no_function_is_long() -> None:
    too_long = {
        f"{path}:{function.lineno} {function.name}": lines
        for path in files()
        for function in functions(path)
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES
    }
    assert too_long == {}


def test_modules_and_classes_have_telling_names() -> None:
    modules = {str(path) for path in files() if EMPTY_NAMES.search(path.stem)}
    classes = {
        f"{path} {node.name}"
        for path in files()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef) and EMPTY_NAMES.search(node.name)
    }
    assert modules | classes == set()


def test_every_module_says_what_it_is_for() -> None:
    silent = {str(path) for path in files() if (ROOT / path).stat().st_size and not ast.get_docstring(tree(path))}
    assert silent == set()


def _reads_environment(path: Path) -> bool:
    return any(
        isinstance(node, ast.Attribute | ast.alias)
        and ast.unparse(node) in {"os.environ", "os.environb", "os.getenv", "environ", "getenv"}
        for node in ast.walk(tree(path))
    )


def test_only_the_settings_read_the_environment() -> None:
    # Tests may ask whether they run in CI, where nothing is skipped.
    product = [path for path in files() if path.parts[0] != "tests"]
    assert [str(path) for path in product if _reads_environment(path)] == ENVIRONMENT_READERS
