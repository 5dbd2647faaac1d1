"""`claimcheck verify`: the command itself."""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from claimcheck.client import AsyncClient, ClientError, Retry
from claimcheck.commands.calling import PATIENCE, Exit, failed, say, write
from claimcheck.commands.options import read_options
from claimcheck.commands.verify.arguments import check
from claimcheck.commands.verify.errors import NoSystem
from claimcheck.commands.verify.report import as_text, as_value
from claimcheck.commands.verify.run import Plan, Run
from claimcheck.commands.verify.submitting import Submitter, bare_client
from claimcheck.commands.verify.verdict import Verdict
from claimcheck.commands.verify.window import moment, read_window
from claimcheck.commands.verify.workload import piece
from claimcheck.settings import ClientSettings

if TYPE_CHECKING:
    from claimcheck.commands.verify.chaos import Chaos

THROUGH_OUTAGES: Final = Retry(first_s=0.2, longest_s=2.0, total_s=300.0, outage_s=300.0)
WAIT_S: Final = 900.0


@dataclass(frozen=True)
class Api:
    """Where the jobs go, and with which key."""

    process_url: str
    status_url: str
    key: str | None

    def client(self, retry: Retry) -> AsyncClient:
        """A client of it. Raises ValueError for an address or a key that cannot be one."""
        return AsyncClient(self.process_url, self.status_url, key=self.key, retry=retry)


def verify(chosen: argparse.Namespace) -> Exit:
    """Run it; the exit status."""
    began_at = time.monotonic()
    try:
        check(chosen)
        verdict, how = asyncio.run(_window(chosen) if chosen.since else _run(chosen))
        _tell(verdict, {**how, "took_s": round(time.monotonic() - began_at, 1)}, as_json=chosen.json)
    except NoSystem as error:
        say(str(error))
        return Exit.USAGE
    except (ClientError, OSError, ValueError) as error:
        # 1 says that the promise is broken: a key or an address that is refused is no such thing.
        return Exit.USAGE if (status := failed(error)) is Exit.REFUSED else status
    except asyncio.CancelledError:
        return Exit.INTERRUPTED
    return Exit.OK if verdict.holds else Exit.REFUSED


def _tell(verdict: Verdict, how: Mapping[str, Any], *, as_json: bool) -> None:
    text = as_text(verdict, how=how)
    if as_json:
        for line in text.splitlines():
            say(line)
    write(json.dumps(as_value(verdict, how=how)) + "\n" if as_json else text)


async def _window(chosen: argparse.Namespace) -> tuple[Verdict, Mapping[str, Any]]:
    now = datetime.now(UTC)
    since, until = moment(chosen.since, now), moment(chosen.until, now) if chosen.until else now
    patience = None if chosen.wait_s is None else timedelta(seconds=chosen.wait_s)
    async with _api(chosen).client(PATIENCE) as client:
        verdict = await read_window(client, since=since, until=until, patience=patience, concurrency=chosen.concurrency)
    return verdict, {"since": since.isoformat(timespec="seconds"), "until": until.isoformat(timespec="seconds")}


async def _run(chosen: argparse.Namespace) -> tuple[Verdict, Mapping[str, Any]]:
    api, options = _api(chosen), read_options(chosen.options, [])
    name, seed = secrets.token_hex(4), secrets.randbelow(1_000_000) if chosen.seed is None else chosen.seed
    chaos = _chaos(api, seed, chosen) if chosen.chaos else None
    plan = _plan(chosen, name)
    with_seed = f", with chaos of seed {seed}" if chaos else ""
    say(f"run {name}: {plan.jobs} jobs of {plan.task}{with_seed}")
    async with bare_client(api.process_url, api.key) as bare:
        # The first alone, and with little patience: whoever has mistyped an address or an option learns it at once.
        async with api.client(PATIENCE) as client:
            first = await Submitter(client, bare, plan.task, options).hand_in_first(piece(plan.task, name, 0))
        async with api.client(THROUGH_OUTAGES) as client:
            _end_in_order_at_signals()
            run = Run(plan, client, Submitter(client, bare, plan.task, options), say, [first])
            verdict = await run.verdict(chaos)
    how = {"run": name, "task": plan.task}
    return verdict, {**how, "seed": seed, "calamities": dict(sorted(chaos.struck.items()))} if chaos else how


def _plan(chosen: argparse.Namespace, run: str) -> Plan:
    return Plan(
        run=run,
        task=chosen.task,
        jobs=chosen.jobs,
        concurrency=chosen.concurrency,
        wait_s=WAIT_S if chosen.wait_s is None else chosen.wait_s,
    )


def _chaos(api: Api, seed: int, chosen: argparse.Namespace) -> Chaos:
    """Chaos for the system that runs here. Raises NoSystem, ValueError."""
    # Here, not above: they need what runs the system, which a client's machine has not.
    from claimcheck.commands.up.command import read_settings
    from claimcheck.commands.up.errors import BadSettings
    from claimcheck.commands.verify.chaos import Chaos

    try:
        local, settings = read_settings()
    except BadSettings as cause:
        raise ValueError(str(cause)) from cause
    chaos = Chaos(
        local.dir,
        seed=seed,
        every_s=chosen.every,
        for_s=chosen.chaos_s,
        lease_s=settings.queue.lease_s,
        say=lambda calamity: say(f"chaos: {calamity}"),
    )
    chaos.check(api.process_url)
    return chaos


def _api(chosen: argparse.Namespace) -> Api:
    settings = ClientSettings()
    key = settings.key.get_secret_value() if settings.key else None
    return Api(chosen.process_url or settings.process_url, chosen.status_url or settings.status_url, key)


def _end_in_order_at_signals() -> None:
    """Whoever ends this command, or closes its terminal, must not leave frozen processes behind."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGHUP):
        # nohup ignores SIGHUP on behalf of its program, and that is to stay so.
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
