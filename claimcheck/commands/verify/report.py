"""A verdict for people and for programs. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from claimcheck.commands.verify.verdict import Finding, Findings, Verdict

LINES: Final[Mapping[str, str]] = {
    "attempted": "uploads handed in",
    "acknowledged": "of them answered 202",
    "succeeded": "jobs that ended so",
    "failed": "jobs that ended so",
    "cancelled": "jobs that ended so",
    "open": "not ended, and within their time",
    "lost": "acknowledged, and then gone or past the deadline",
    "unexpected": "in the list, and explained by no upload",
    "duplicated": "several jobs of one upload",
    "differing": "an end or a result that was not always the same",
    "recovered": "not acknowledged, and found to have run: allowed",
    "stuck": "not ended in time",
}
NAMED: Final = ("lost", "unexpected", "duplicated", "differing", "stuck", "failed", "recovered", "cancelled")
"""Whose jobs are listed, in this order."""
NOT_KNOWN: Final = "not known"
COLUMN: Final = max(map(len, LINES))


def as_text(verdict: Verdict, *, how: Mapping[str, Any]) -> str:
    """A table, the jobs that need a look, and a last line that says whether the promise was kept.

    `how`: what was done, as names and values.
    """
    said = ", ".join(f"{name} {value}" for name, value in how.items() if not isinstance(value, Mapping))
    struck = [
        f"{what} {count}" for value in how.values() if isinstance(value, Mapping) for what, count in value.items()
    ]
    head = [f"claimcheck verify: {said}", *([f"chaos: {', '.join(struck)}"] if struck else []), ""]
    table = [f"  {name:<{COLUMN}}  {_shown(_count(getattr(verdict, name))):>9}  {LINES[name]}" for name in LINES]
    refusals = _counted("answered something else than 202:", verdict.refusals)
    reasons = _counted("why jobs failed:", Counter(finding.why.partition(":")[0] for finding in verdict.failed))
    named = [
        f"  {name:<{COLUMN}}  {finding.job_id}  {finding.why}"
        for name in NAMED
        for finding in getattr(verdict, name) or ()
    ]
    sections = [head, table, refusals, reasons, ["", *named] if named else []]
    return "\n".join([*(line for section in sections for line in section), "", _conclusion(verdict)]) + "\n"


def as_value(verdict: Verdict, *, how: Mapping[str, Any]) -> dict[str, Any]:
    """The same as JSON values; null is what cannot be known."""
    classes = {name: _value(getattr(verdict, name)) for name in LINES}
    return {"holds": verdict.holds, **how, **classes, "refusals": dict(verdict.refusals)}


def _conclusion(verdict: Verdict) -> str:
    if verdict.acknowledged == 0:
        return "SHOWS NOTHING: not one upload was acknowledged"
    if not verdict.holds:
        return "BROKEN: the jobs above say where; docs/operations.md says what to do"
    if verdict.attempted is None:
        return "HOLDS, as far as reading can tell: what has ended stays so, and nothing is late"
    return "HOLDS: every 202 ended, once, with one result"


def _counted(title: str, reasons: Mapping[str, int]) -> list[str]:
    return ["", title, *(f"  {count} x {why}" for why, count in reasons.items())] if reasons else []


def _count(field: int | Findings | None) -> int | None:
    return len(field) if isinstance(field, tuple) else field


def _shown(count: int | None) -> str:
    return NOT_KNOWN if count is None else f"{count:,}"


def _value(field: int | Findings | None) -> Any:
    if not isinstance(field, tuple):
        return field
    return {"count": len(field), "jobs": [_finding(finding) for finding in field]}


def _finding(finding: Finding) -> dict[str, str]:
    return {"id": finding.job_id, "why": finding.why}
