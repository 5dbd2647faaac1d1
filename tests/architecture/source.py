"""The project's own Python files, and what their syntax trees say."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FOLDERS = ("claimcheck", "services", "emulators/azure_local_emulators", "examples", "tests", "benchmarks")


def files(*under: str) -> list[Path]:
    """Python files below these folders (or these files), relative to the repository; without any: all of ours."""
    chosen = [ROOT / name for name in under or _FOLDERS]
    found = (sorted(path.rglob("*.py")) if path.is_dir() else [path] for path in chosen)
    return [path.relative_to(ROOT) for paths in found for path in paths]


@cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of a file named as `files` names it."""
    return ast.parse((ROOT / path).read_text(), str(path))


def imports(path: Path) -> set[str]:
    """Every dotted name that the file imports, anywhere in it: `from a import b` gives both `a` and `a.b`."""
    found: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _package(path, node.level) + (node.module or "") if node.level else node.module or ""
            found.add(base)
            found.update(f"{base}.{alias.name}" for alias in node.names)
    return found


def imports_under(path: Path, *prefixes: str) -> set[str]:
    """Those imports that are one of `prefixes` or below it."""
    return {name for name in imports(path) for prefix in prefixes if name == prefix or name.startswith(prefix + ".")}


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of the file, nested ones too."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Every call whose function is a plain dotted name, with that name."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def _package(path: Path, level: int) -> str:
    """The package that a relative import of `level` dots starts from, with a dot at its end."""
    return ".".join(path.parts[: len(path.parts) - level]) + "."
