"""`claimcheck result ID`: print a job's result, or save it."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

from claimcheck.client import Client, JobView
from claimcheck.commands.calling import Exit, calling, say, standard_output, write

STANDARD_OUTPUT: Final = "-"
FORMATS: Final = ("txt", "json", "srt", "vtt")
"""Those that the name of a file can ask for before the job, and with it what its task has, is known."""


def result(chosen: argparse.Namespace) -> Exit:
    """Run it; the exit status."""
    return calling(chosen, lambda client: _result(client, chosen))


def _result(client: Client, chosen: argparse.Namespace) -> Exit:
    check_output(chosen.output)
    return deliver(client, client.job(chosen.id), chosen)


def check_output(output: str | None) -> None:
    """Refuse an output that cannot be written before there is anything to write. Raises ValueError."""
    if _is_standard_output(output):
        standard_output()
        return
    path = Path(output or "")
    if path.is_dir():
        raise ValueError(f"{output} is a directory; a file is expected")
    if not Path(os.path.realpath(path)).parent.is_dir():
        raise ValueError(f"{output} is to be written in a directory that does not exist")


def deliver(client: Client, job: JobView, chosen: argparse.Namespace) -> Exit:
    """Print or save the result of an ended job. Raises ClientError if it has none, OSError."""
    # A job without formats has no result either; asked for any, the API says why.
    form = chosen.format or (default_format(job.result_urls, chosen.output) if job.result_urls else "json")
    try:
        if _is_standard_output(chosen.output):
            _print(client.result(job.id, form))
        else:
            client.download(job.id, form, Path(chosen.output))
            say(f"wrote {chosen.output} ({form})")
    finally:
        # After the text, where a person still sees them; also when whoever reads it has gone away.
        for detail in warnings(job.result or {}):
            say(f"warning: {detail}")
    return Exit.OK


def default_format(formats: Collection[str], output: str | None) -> str:
    """The format that the name of the output asks for; without one text, else JSON: what the task has. Pure.

    Raises ValueError for a name that asks for another: what is in a file must not belie its name.
    """
    asked = "" if _is_standard_output(output) else Path(output or "").suffix.lstrip(".").lower()
    if not asked:
        return "txt" if "txt" in formats else "json"
    if asked not in formats:
        known = ", ".join(formats)
        raise ValueError(f"{output}: the format {asked!r} is not known ({known}); --format says what to write into it")
    return asked


def warnings(found: Mapping[str, Any]) -> list[str]:
    """What a result warns of. Pure."""
    listed = found.get("warnings")
    return [
        str(warning.get("detail", warning)) if isinstance(warning, Mapping) else str(warning)
        for warning in (listed if isinstance(listed, list) else [])
    ]


def _print(found: dict[str, Any] | str) -> None:
    text = found if isinstance(found, str) else json.dumps(found, ensure_ascii=False, indent=2)
    write(text if text.endswith("\n") else f"{text}\n")


def _is_standard_output(output: str | None) -> bool:
    return not output or output == STANDARD_OUTPUT
