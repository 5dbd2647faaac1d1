"""`claimcheck setup`: get what pip does not: Node.js where there is none, Azurite, and models by name."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from claimcheck.commands.up.azurite import ensure_azurite
from claimcheck.commands.up.command import ROOT, read_settings
from claimcheck.commands.up.errors import CannotStart
from claimcheck.commands.up.language import key_variables
from claimcheck.commands.up.plan import models_dir
from claimcheck.commands.up.preparation import fetching


def setup(models: Sequence[str]) -> int:
    """Get what is missing; the exit status."""
    try:
        local, settings = read_settings()
        keys = key_variables(settings.language.endpoints)
        with fetching(ROOT, models, models_dir(local, settings), _say, without=keys) as fetched:
            ensure_azurite(ROOT, _say, without=keys)
            for model in models:
                fetched.wait(model)
    except CannotStart as reason:
        _say(f"claimcheck setup failed: {reason}")
        return reason.exit_status
    return 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
