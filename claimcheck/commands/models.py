"""`claimcheck models`: the models that options can name, and the tasks they are for."""

from __future__ import annotations

import argparse

from claimcheck.client import Client, ModelView
from claimcheck.commands.calling import Exit, calling, say
from claimcheck.commands.rows import Columns, print_items

MODELS: Columns[ModelView] = {
    "MODEL": lambda model: model.id,
    "TASKS": lambda model: ", ".join(model.tasks) or "-",
    "CAN": lambda model: ", ".join(model.capabilities),
    "VERSION": lambda model: model.version or "-",
    "NOTE": lambda model: "for demonstration only" if model.demonstration else "-",
}


def models(chosen: argparse.Namespace) -> Exit:
    """Run it; the exit status."""
    return calling(chosen, lambda client: _models(client, chosen))


def _models(client: Client, chosen: argparse.Namespace) -> Exit:
    found = client.models()
    print_items(found.data, MODELS, as_json=chosen.json, whole="MODEL")
    if idle := [task.name for task in found.tasks if task.models == []]:
        say(f"no model is configured for {', '.join(idle)}")
    return Exit.OK
