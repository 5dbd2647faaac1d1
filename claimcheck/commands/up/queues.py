"""The queues of one machine: those of `infra/local/Config.json`, with what the settings say of them.

The file is production's: a minute's lock, duplicate detection on. Whoever wants to see what the system does without the
one, or sooner with a shorter other, sets it once, and broker and workers hear the same.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

LISTED: Final = Path("infra") / "local" / "Config.json"
"""In the repository."""


def config_file(folder: Path) -> Path:
    """Where the broker of the launcher in `folder` reads them."""
    return folder / "queues.json"


def write_config(root: Path, folder: Path, *, lease_s: float, duplicate_detection: bool) -> None:
    """Make the file that `config_file` names. `root` is the repository."""
    listed = json.loads((root / LISTED).read_text())
    config = with_settings(listed, lease_s=lease_s, duplicate_detection=duplicate_detection)
    config_file(folder).write_text(json.dumps(config, indent=2) + "\n")


def with_settings(listed: Mapping[str, Any], *, lease_s: float, duplicate_detection: bool) -> dict[str, Any]:
    """The configuration with locks of `lease_s` seconds, and with or without duplicate detection. Pure."""
    config = copy.deepcopy(dict(listed))
    for namespace in config["UserConfig"]["Namespaces"]:
        for queue in namespace["Queues"]:
            queue["Properties"]["LockDuration"] = f"PT{lease_s:g}S"
            queue["Properties"]["RequiresDuplicateDetection"] = duplicate_detection
    return config
