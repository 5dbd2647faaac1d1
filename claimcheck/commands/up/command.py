"""The command itself: read the settings, get what is missing, and hand the plan to the launcher."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from pydantic import ValidationError

from claimcheck import demonstration
from claimcheck.commands.up.azurite import ensure_azurite
from claimcheck.commands.up.errors import BadSettings
from claimcheck.commands.up.language import endpoints_of, wants_demonstration
from claimcheck.commands.up.launch import Launch
from claimcheck.commands.up.launcher import run_launcher, say
from claimcheck.commands.up.plan import connections, make_plan, models_dir, ports_of, with_matching_addresses
from claimcheck.commands.up.preparation import demonstration_file, fetching, serves_demonstration
from claimcheck.commands.up.provision import provision
from claimcheck.commands.up.queues import write_config
from claimcheck.commands.up.summary import language_row, page_address, ready_lines
from claimcheck.settings import LocalSettings, Settings
from claimcheck.tasks import QueueKind, catalogue

ROOT = Path(__file__).parents[3]
"""The repository: the services are run from it, and are not in the wheel."""


def up() -> int:
    """Run the system until Ctrl-C; the exit status."""
    try:
        local, settings = read_settings()
    except BadSettings as reason:
        say(f"claimcheck cannot start: {reason}")
        return reason.exit_status
    queues = {stage.queue for task in catalogue().values() for stage in task.stages}
    ports = ports_of(local, settings, queues)
    return run_launcher(local.dir, page_address(settings.web), ports, lambda: _prepare(local, settings, queues))


def read_settings() -> tuple[LocalSettings, Settings]:
    """What the environment says, led to the local services. Raises BadSettings."""
    try:
        local = LocalSettings()
        settings = Settings(**connections(local))  # type: ignore[arg-type]  # pydantic makes groups of the mappings
    except ValidationError as cause:
        raise BadSettings(str(cause)) from cause
    return local, settings.model_copy(update={"web": with_matching_addresses(settings.web)})


def _prepare(local: LocalSettings, settings: Settings, queues: Collection[QueueKind]) -> Launch:
    wants = wants_demonstration(local, settings, queues)
    models = [settings.speech.model] if local.speech_workers else []
    own = [demonstration.NAME] if wants and serves_demonstration() else []
    with fetching(ROOT, [*models, *own], models_dir(local, settings), say) as fetched:
        node = ensure_azurite(ROOT, say)
        for model in models:
            fetched.wait(model)
        demo = demonstration_file(fetched, say) if wants else None
    write_config(ROOT, local.dir, lease_s=settings.queue.lease_s, duplicate_detection=local.duplicate_detection)
    endpoints = endpoints_of(local, settings, demonstration_runs=demo is not None)
    return Launch(
        plan=make_plan(ROOT, local, settings, node, queues=queues, demonstration=demo),
        root=ROOT,
        data=local.dir,
        address=page_address(settings.web),
        provision=lambda: provision(settings),
        ready_lines=ready_lines(local, settings.web, language_row(endpoints, workers=local.language_workers)),
        ready_timeout_s=local.ready_timeout_s,
    )
