"""`claimcheck submit FILE | --text TEXT | --of ID`: hand it in; with `--wait` also wait for the job's result."""

from __future__ import annotations

import argparse
import secrets
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from claimcheck.client import (
    Client,
    ClientError,
    JobView,
    NoResult,
    NotFound,
    ServerUnreachable,
    Unavailable,
    UploadProgress,
)
from claimcheck.client.files import File
from claimcheck.commands.calling import Exit, calling, failed, say, standard_output, write
from claimcheck.commands.options import read_options
from claimcheck.commands.progress import job_progress, upload_progress
from claimcheck.commands.result import FORMATS, check_output, default_format, deliver

STANDARD_INPUT = "-"


def submit(chosen: argparse.Namespace) -> Exit:
    """Run it; the exit status."""
    return calling(chosen, lambda client: _submit(client, chosen))


def _submit(client: Client, chosen: argparse.Namespace) -> Exit:
    _check(chosen)
    # Known here and not only in the client, so that whoever is interrupted can be told of it.
    key = secrets.token_hex(16) if chosen.idempotency_key is None else chosen.idempotency_key
    hint = ""

    def begun() -> None:
        nonlocal hint  # Before anything is sent there is no job that a second call could double.
        hint = f"to try again without making a second job: {again(sys.argv[2:], key, chosen.idempotency_key)}"

    try:
        job = _hand_in(client, chosen, key, begun)
    except KeyboardInterrupt:
        say(f"interrupted; {hint}" if hint else "interrupted")
        return Exit.INTERRUPTED
    except (ServerUnreachable, Unavailable) as error:
        status = failed(error)
        if hint:
            say(hint)
        return status
    return _deliver(client, job, chosen) if chosen.wait else _print_id(job)


def _check(chosen: argparse.Namespace) -> None:
    """Refuse before the upload what could only fail after it. Raises ValueError."""
    if STANDARD_INPUT in (chosen.file, chosen.text) and sys.stdin is None:
        raise ValueError("standard input is closed; there is nothing to read from it")
    if not chosen.wait:
        if chosen.output or chosen.format:
            raise ValueError("-o and --format say what to do with the result; they need --wait")
        standard_output()
        return
    check_output(chosen.output)
    if not chosen.format:
        default_format(FORMATS, chosen.output)


def _hand_in(client: Client, chosen: argparse.Namespace, key: str, begun: Callable[[], None]) -> JobView:
    options = read_options(chosen.options, chosen.option)
    if chosen.of is not None:
        begun()
        return client.submit_text_of(chosen.of, task=chosen.task or "summarize", options=options, idempotency_key=key)
    if chosen.text is not None:
        text = _read_text() if chosen.text == STANDARD_INPUT else chosen.text
        begun()
        return client.submit_text(text, task=chosen.task or "complete", options=options, idempotency_key=key)
    return _hand_in_file(client, chosen, options, key=key, begun=begun)


def _read_text() -> str:
    """Standard input, which is UTF-8 whatever the locale. Raises ValueError, OSError."""
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as cause:
        raise ValueError(f"standard input is no UTF-8: {cause.reason} at byte {cause.start:,}") from cause


def _hand_in_file(
    client: Client, chosen: argparse.Namespace, options: Mapping[str, Any], *, key: str, begun: Callable[[], None]
) -> JobView:
    from_pipe = chosen.file == STANDARD_INPUT
    file: File = sys.stdin.buffer if from_pipe else Path(chosen.file)
    name = "standard input" if from_pipe else Path(chosen.file).name
    with upload_progress(name, None if from_pipe else Path(chosen.file).stat().st_size) as show:

        def on_progress(seen: UploadProgress) -> None:
            begun()
            show(seen)

        return client.submit(
            file, task=chosen.task or "transcribe", options=options, idempotency_key=key, on_progress=on_progress
        )


def _print_id(job: JobView) -> Exit:
    try:
        write(f"{job.id}\n")
    except OSError:
        say(f"the job is {job.id}")  # Made is made: its id must not be lost with the output.
        raise
    return Exit.OK


def _deliver(client: Client, job: JobView, chosen: argparse.Namespace) -> Exit:
    """Wait for the job, and print or save its result. Whatever stops it, the person learns how to get at the job."""
    try:
        with job_progress() as show:
            job = client.wait(job.id, on_progress=show)
        return deliver(client, job, chosen)
    except KeyboardInterrupt:
        say(f"interrupted; {_how_to_go_on(job)}")
        return Exit.INTERRUPTED
    except BrokenPipeError:
        raise
    except (ClientError, OSError, ValueError) as error:
        status = failed(error)
        if not isinstance(error, NoResult | NotFound):
            say(_how_to_go_on(job))
        return status


def _how_to_go_on(job: JobView) -> str:
    fetches = f"`claimcheck result {job.id}` fetches its result"
    if job.ended:
        return f"the job is {job.status}: {fetches}"
    return f"the job goes on: {fetches}, `claimcheck cancel {job.id}` stops it"


def again(arguments: Sequence[str], key: str, given_key: str | None) -> str:
    """The command line that submits the same job: that of this call, with the key unless it was given. Pure."""
    # The key comes first: at the end, behind a `--`, it would be taken for a file.
    named = [] if given_key is not None else ["--idempotency-key", key]
    return shlex.join(["claimcheck", "submit", *named, *arguments])
