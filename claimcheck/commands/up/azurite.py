"""Azurite, the emulator of Azure Blob Storage: install it as package-lock.json says, and how to start it.

It writes its metadata every 5 s and once more at SIGTERM, so it is never ended by SIGKILL while it can still answer.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from claimcheck.commands.up.addresses import HOST
from claimcheck.commands.up.errors import AzuriteNotInstalled
from claimcheck.commands.up.node import Node, find_node, install_node
from claimcheck.settings import environment_for_child

_LISTED = ("package.json", "package-lock.json")


def ensure_azurite(root: Path, say: Callable[[str], None], *, without: Collection[str] = ()) -> Node:
    """Install Node.js and Azurite if they are missing or not what the lock asks for.

    `root` is the folder of package.json; `without`: variables that pip and npm are not told, such as keys. Raises
    NodeMissing, AzuriteNotInstalled.
    """
    environment = environment_for_child({}, without=without)
    node = find_node()
    if node is None:
        say("Installing Node.js for Azurite (60 MB) ...")
        node = install_node(root / "constraints.txt", environment)
    stamp = root / "node_modules" / ".installed"
    wanted = _digest(root)
    if not stamp.is_file() or stamp.read_text() != wanted:
        say("Installing Azurite (half a minute) ...")
        _npm_ci(node, root, environment)
        stamp.write_text(wanted)
    return node


def azurite_command(node: Node, root: Path, *, port: int, data: Path) -> list[str]:
    """The command line of a blob-only Azurite.

    Without --skipApiVersionCheck it refuses the API version that azure-storage-blob 12.31 speaks.
    """
    program = root / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
    options = ["--silent", "--skipApiVersionCheck", "--disableTelemetry"]
    return [
        *(str(node.node), str(program)),
        *(*options, "--blobHost", HOST, "--blobPort", str(port), "--location", str(data)),
    ]


def _npm_ci(node: Node, root: Path, environment: Mapping[str, str]) -> None:
    """Replace node_modules by what the lock lists. No install scripts: Azurite needs none, and they could do anything.

    `env` puts this Node.js first on PATH for whatever npm starts itself.
    """
    with_node = ["env", f"PATH={node.node.parent}:/usr/local/bin:/usr/bin:/bin"]
    npm = [*with_node, *node.npm, "ci", "--omit=dev", "--ignore-scripts", "--no-progress"]
    outcome = subprocess.run(npm, cwd=root, env=environment, capture_output=True, text=True, check=False)
    if outcome.returncode != 0:
        raise AzuriteNotInstalled(f"npm ci in {root} failed:\n{outcome.stdout}{outcome.stderr}".strip())


def _digest(root: Path) -> str:
    return hashlib.sha256(b"".join((root / name).read_bytes() for name in _LISTED)).hexdigest()
