"""The command itself: read the settings, get what is missing, and hand the plan to the launcher."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from claimcheck import demonstration
from claimcheck.commands.up.azurite import ensure_azurite
from claimcheck.commands.up.crew import crew
from claimcheck.commands.up.errors import BadSettings
from claimcheck.commands.up.language import asks_models, endpoints_of, key_variables, wants_demonstration
from claimcheck.commands.up.launch import Launch
from claimcheck.commands.up.launcher import run_launcher, say
from claimcheck.commands.up.plan import connections, make_plan, models_dir, ports_of, with_matching_addresses
from claimcheck.commands.up.preparation import demonstration_file, fetching, serves_demonstration
from claimcheck.commands.up.provision import provision
from claimcheck.commands.up.queues import write_config
from claimcheck.commands.up.summary import language_rows, page_address, ready_lines
from claimcheck.settings import LocalSettings, Settings, SettingsRefused, read
from claimcheck.tasks import QueueKind, catalogue

ROOT = Path(__file__).parents[3]
"""The repository: the services are run from it, and are not in the wheel."""


def up() -> int:
    """Run the system until Ctrl-C; the exit status."""
    queues = {stage.queue for task in catalogue().values() for stage in task.stages}
    try:
        local, settings = read_settings()
        if asks_models(local, queues):
            _require_keys(settings)
    except BadSettings as reason:
        say(f"claimcheck cannot start: {reason}")
        return reason.exit_status
    ports = ports_of(local, settings, queues)
    return run_launcher(local.dir, page_address(settings.web), ports, lambda: _prepare(local, settings, queues))


def read_settings() -> tuple[LocalSettings, Settings]:
    """What the environment says, led to the local services. Raises BadSettings."""
    try:
        local = read(LocalSettings)
        settings = read(Settings, **connections(local))
    except SettingsRefused as cause:
        raise BadSettings(str(cause)) from cause
    return local, settings.model_copy(update={"web": with_matching_addresses(settings.web)})


def _require_keys(settings: Settings) -> None:
    """What the language workers would end for, told before anything starts. Raises BadSettings."""
    try:
        settings.language.require_keys()
    except SettingsRefused as cause:
        raise BadSettings(str(cause)) from cause


def _prepare(local: LocalSettings, settings: Settings, queues: Collection[QueueKind]) -> Launch:
    wants = wants_demonstration(local, settings, queues)
    models = [settings.speech.model] if local.speech_workers else []
    own = [demonstration.NAME] if wants and serves_demonstration() else []
    keys = key_variables(settings.language.endpoints)
    with fetching(ROOT, [*models, *own], models_dir(local, settings), say, without=keys) as fetched:
        node = ensure_azurite(ROOT, say, without=keys)
        for model in models:
            fetched.wait(model)
        demo = demonstration_file(fetched, say) if wants else None
    write_config(ROOT, local.dir, lease_s=settings.queue.lease_s, duplicate_detection=local.duplicate_detection)
    endpoints = endpoints_of(local, settings, demonstration_runs=demo is not None)
    asking = [post.port for post in crew(local, queues) if post.role == "language"]
    return Launch(
        plan=make_plan(ROOT, local, settings, node, queues=queues, demonstration=demo),
        root=ROOT,
        data=local.dir,
        address=page_address(settings.web),
        provision=lambda: provision(settings),
        ready_lines=ready_lines(local, settings.web, language_rows(endpoints, asking)),
        ready_timeout_s=local.ready_timeout_s,
    )
