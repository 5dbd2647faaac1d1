"""What is installed is pinned, and says nothing of where one machine gets its packages from."""

from __future__ import annotations

import json
import re

import pytest

from tests.architecture.source import ROOT

PIN = re.compile(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+(; .+)?")
REGISTRY = re.compile(r"registry\s*=|index-url|find-links|trusted-host|--index", re.IGNORECASE)


def _constraints() -> list[str]:
    return [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]


def test_every_constraint_is_one_exact_version() -> None:
    assert [line for line in _constraints() if not PIN.fullmatch(line)] == []


def test_constraints_are_sorted_and_name_each_package_once() -> None:
    names = [line.partition("==")[0].lower() for line in _constraints()]
    assert names == sorted(set(names))


def test_what_pyproject_asks_for_is_pinned() -> None:
    asked = re.findall(r'^\s*"([a-z0-9-]+)>=', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    pinned = {re.sub(r"[._]", "-", line.partition("==")[0].lower()) for line in _constraints()}
    assert set(asked) - pinned == set()


def test_the_lock_of_azurite_names_no_registry() -> None:
    lock = json.loads((ROOT / "package-lock.json").read_text())
    assert [name for name, package in lock["packages"].items() if "resolved" in package] == []


def test_every_package_in_the_lock_has_a_hash() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    assert [name for name, package in packages.items() if name and "integrity" not in package] == []


@pytest.mark.parametrize("name", ["Makefile", ".npmrc", ".ci/run", "constraints.txt", "package.json", "pyproject.toml"])
def test_no_file_names_a_registry(name: str) -> None:
    assert REGISTRY.findall((ROOT / name).read_text()) == []
