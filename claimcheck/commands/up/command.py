"""The command itself: read the settings, get what is missing, and hand the plan to the launcher."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from claimcheck.commands.up.azurite import ensure_azurite
from claimcheck.commands.up.errors import BadSettings
from claimcheck.commands.up.launch import Launch
from claimcheck.commands.up.launcher import run_launcher, say
from claimcheck.commands.up.plan import connections, make_plan, models_dir, ports_of, with_matching_addresses
from claimcheck.commands.up.preparation import ensure_model
from claimcheck.commands.up.provision import provision
from claimcheck.commands.up.queues import write_config
from claimcheck.commands.up.summary import page_address, ready_lines
from claimcheck.settings import LocalSettings, Settings

ROOT = Path(__file__).parents[3]
"""The repository: the services are run from it, and are not in the wheel."""


def up() -> int:
    """Run the system until Ctrl-C; the exit status."""
    try:
        local, settings = read_settings()
    except BadSettings as reason:
        say(f"claimcheck cannot start: {reason}")
        return reason.exit_status
    ports = ports_of(local, settings.web)
    return run_launcher(local.dir, page_address(settings.web), ports, lambda: _prepare(local, settings))


def read_settings() -> tuple[LocalSettings, Settings]:
    """What the environment says, led to the local services. Raises BadSettings."""
    try:
        local = LocalSettings()
        settings = Settings(**connections(local))  # type: ignore[arg-type]  # pydantic makes groups of the mappings
    except ValidationError as cause:
        raise BadSettings(str(cause)) from cause
    return local, settings.model_copy(update={"web": with_matching_addresses(settings.web)})


def _prepare(local: LocalSettings, settings: Settings) -> Launch:
    node = ensure_azurite(ROOT, say)
    if local.speech_workers:
        ensure_model(ROOT, settings.speech.model, models_dir(local, settings), say)
    write_config(ROOT, local.dir, lease_s=settings.queue.lease_s, duplicate_detection=local.duplicate_detection)
    return Launch(
        plan=make_plan(ROOT, local, settings, node),
        root=ROOT,
        data=local.dir,
        address=page_address(settings.web),
        provision=lambda: provision(settings),
        ready_lines=ready_lines(local, settings.web),
        ready_timeout_s=local.ready_timeout_s,
    )
