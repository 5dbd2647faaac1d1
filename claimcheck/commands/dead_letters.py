"""`claimcheck dead-letters`: what the broker gave up, and what an operator does with it."""

from __future__ import annotations

import argparse
import base64
from collections.abc import Iterable, Iterator

from claimcheck.client import LetterFilter, Operator
from claimcheck.client.operator_flows import Which
from claimcheck.commands.calling import Exit, calling, printable, say, write
from claimcheck.commands.rows import Columns, local, print_items, print_lines
from claimcheck.operator_views import LetterDetailView, LetterOutcomeView, LetterView

BODY_CHARS = 300  # Of a body that is no message of ours: enough to see what it is.

LETTERS: Columns[LetterView] = {
    "ID": lambda letter: letter.id,
    "STORED": lambda letter: local(letter.stored_at),
    "TASK": lambda letter: letter.task or "-",
    "REASON": lambda letter: letter.reason,
    "REPLAYED AS": lambda letter: letter.replayed_as or "-",
}
OUTCOMES: Columns[LetterOutcomeView] = {
    "OUTCOME": lambda done: done.outcome,
    "ID": lambda done: done.id,
    "JOB": lambda done: done.job_id or "-",
    "WHY": lambda done: done.problem["detail"] if done.problem else "-",
}


def list_letters(chosen: argparse.Namespace) -> Exit:
    """Run `list`; the exit status."""

    def do(operator: Operator) -> Exit:
        found = operator.dead_letters(_filter(chosen), limit=chosen.limit)
        print_items(found, LETTERS, as_json=chosen.json, whole="ID")
        return Exit.OK

    return calling(chosen, lambda client: do(client.operator), key="operator_key")


def show(chosen: argparse.Namespace) -> Exit:
    """Run `show`; the exit status."""

    def do(operator: Operator) -> Exit:
        letter = operator.dead_letter(chosen.id)
        lines = [letter.model_dump_json(exclude_none=True)] if chosen.json else _described(letter)
        write("".join(f"{line}\n" for line in lines))
        return Exit.OK

    return calling(chosen, lambda client: do(client.operator), key="operator_key")


def replay(chosen: argparse.Namespace) -> Exit:
    """Run `replay`; the exit status."""
    how = {"limit": chosen.limit, "dry_run": chosen.dry_run, "per_s": chosen.per_s}
    return calling(
        chosen,
        lambda client: _told(client.operator.replay(_which(chosen), **how, force=chosen.force), chosen),
        key="operator_key",
    )


def discard(chosen: argparse.Namespace) -> Exit:
    """Run `discard`; the exit status."""
    how = {"limit": chosen.limit, "dry_run": chosen.dry_run, "per_s": chosen.per_s}
    return calling(
        chosen, lambda client: _told(client.operator.discard(_which(chosen), **how), chosen), key="operator_key"
    )


def _which(chosen: argparse.Namespace) -> Which:
    """The letters that are meant. Raises ValueError: what acts on all must be said."""
    where = _filter(chosen)
    if sum((bool(chosen.ids), bool(where.given()), chosen.all)) != 1:
        raise ValueError("give ids, or filters, or --all")
    return chosen.ids or where


def _filter(chosen: argparse.Namespace) -> LetterFilter:
    return LetterFilter(
        task=chosen.task,
        tenant=chosen.tenant,
        reason=chosen.reason,
        older_than=chosen.older_than,
        newer_than=chosen.newer_than,
    )


def _told(outcomes: Iterable[LetterOutcomeView], chosen: argparse.Namespace) -> Exit:
    """Print what became of each; the exit status says whether anything did not."""
    seen: set[str] = set()
    count = 0

    def counted() -> Iterator[LetterOutcomeView]:
        nonlocal count
        for done in outcomes:
            count += 1
            seen.add(done.outcome)
            yield done

    print_lines(counted(), OUTCOMES, as_json=chosen.json)
    if not count:
        say("there is no such dead letter")
    if "failed" in seen:
        say("a service that is needed fails; the letters that follow were left alone")
        return Exit.UNAVAILABLE
    return Exit.REFUSED if "refused" in seen else Exit.OK


def _described(letter: LetterDetailView) -> list[str]:
    """A letter for people, a line for each thing. Pure."""
    shown = letter.model_dump(mode="json", exclude_none=True, exclude={"v", "body_base64", "message", "job", "refusal"})
    lines = [f"{name}: {printable(str(value))}" for name, value in shown.items()]
    if letter.message:
        lines += [f"message.{name}: {value}" for name, value in letter.message.items() if value is not None]
    else:
        body = base64.b64decode(letter.body_base64)
        lines.append(f"body: {len(body):,} bytes, {printable(body[:BODY_CHARS].decode(errors='replace'))}")
    job = letter.job.model_dump(mode="json", exclude_none=True, exclude={"error"}) if letter.job else {}
    lines += [f"job.{name}: {value}" for name, value in job.items()]
    if letter.job and letter.job.error:
        lines.append(f"job.error: {printable(letter.job.error['detail'])}")
    if letter.refusal:
        lines.append(f"replay: refused, {printable(letter.refusal['detail'])}")
    return lines
