"""The command line of the client: `submit`, `jobs`, ..., `verify`. Loads no HTTP client to parse it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

from claimcheck.commands.operator_arguments import add_dead_letters, add_stuck, positive
from claimcheck.commands.verify.arguments import add_arguments as add_verify_arguments

Command = Callable[[argparse.Namespace], int]

NOT_INSTALLED = 2
FORMAT = "txt, json, srt, vtt, ...; default: as the name of OUT ends; without one txt, else json"


def add_client_commands(commands: argparse._SubParsersAction[Any]) -> None:
    """Add them to the command line."""
    _add_submit(
        commands.add_parser("submit", help="hand in a file or text; prints the job's id, or with --wait its result")
    )
    models = commands.add_parser("models", help="list the models that options can name, and the tasks they are for")
    models.add_argument("--json", action="store_true", help="one JSON object per line")
    _finish(models, _models)
    jobs = commands.add_parser("jobs", help="list the jobs, newest first")
    jobs.add_argument("--status", help="only jobs that are queued, running, succeeded, failed or cancelled")
    jobs.add_argument("--task", help="only jobs of this task")
    jobs.add_argument("--limit", type=positive, default=20, metavar="N", help="at most so many; default 20")
    jobs.add_argument("--json", action="store_true", help="one JSON object per line")
    _finish(jobs, _jobs)
    add_stuck(jobs, _finish)
    add_dead_letters(commands.add_parser("dead-letters", help="for operators: what the broker gave up"), _finish)
    result = commands.add_parser("result", help="print a job's result")
    result.add_argument("id", metavar="ID", help="the job's id")
    _add_output(result)
    _finish(result, _result)
    cancel = commands.add_parser("cancel", help="stop a job that has not ended")
    cancel.add_argument("id", metavar="ID", help="the job's id")
    _finish(cancel, _cancel)
    erase = commands.add_parser("erase", help="stop a job and erase it, its file and its result")
    erase.add_argument("id", metavar="ID", help="the job's id")
    _finish(erase, _erase)
    verify = commands.add_parser("verify", help="hand jobs in, or read those there are, and check that every 202 ends")
    add_verify_arguments(verify)
    _finish(verify, _verify)


def _add_submit(submit: argparse.ArgumentParser) -> None:
    given = submit.add_mutually_exclusive_group(required=True)
    given.add_argument("file", nargs="?", metavar="FILE", help="the file; - reads standard input")
    given.add_argument("--text", help="a text instead of a file; - reads standard input")
    given.add_argument("--of", metavar="ID", help="the text of an earlier job, for example a transcript")
    submit.add_argument(
        "--task", help="what to do with it; default transcribe, of a text complete, of an earlier job's text summarize"
    )
    submit.add_argument(
        "--option", action="append", default=[], metavar="KEY=VALUE", help="an option of the task; may be repeated"
    )
    submit.add_argument("--options", metavar="JSON", help="the task's options as a JSON object")
    submit.add_argument("--wait", action="store_true", help="wait for the end, and print the result")
    submit.add_argument(
        "--idempotency-key", metavar="KEY", help="the same key is the same job, however often it is submitted"
    )
    _add_output(submit)
    _finish(submit, _submit)


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", help=FORMAT)
    parser.add_argument("-o", "--output", metavar="OUT", help="write the result to this file; - is standard output")


def _finish(parser: argparse.ArgumentParser, command: Command) -> None:
    parser.add_argument("--process-url", metavar="URL", help="default CLAIMCHECK_CLIENT__PROCESS_URL")
    parser.add_argument("--status-url", metavar="URL", help="default CLAIMCHECK_CLIENT__STATUS_URL")
    parser.set_defaults(command=_if_installed(command))


def _if_installed(command: Command) -> Command:
    """Say what to install where the client's packages are missing."""

    def run(chosen: argparse.Namespace) -> int:
        try:
            return command(chosen)
        except ModuleNotFoundError as missing:
            package = (missing.name or "").partition(".")[0]
            if package not in {"httpx", "httpcore", "rich"}:
                raise
            sys.stderr.write(f"{package} is not installed; pip install 'claimcheck[client]'\n")
            return NOT_INSTALLED

    return run


def _submit(chosen: argparse.Namespace) -> int:
    from claimcheck.commands.submit import submit

    return submit(chosen)


def _models(chosen: argparse.Namespace) -> int:
    from claimcheck.commands.models import models

    return models(chosen)


def _jobs(chosen: argparse.Namespace) -> int:
    from claimcheck.commands.jobs import jobs

    return jobs(chosen)


def _result(chosen: argparse.Namespace) -> int:
    from claimcheck.commands.result import result

    return result(chosen)


def _cancel(chosen: argparse.Namespace) -> int:
    from claimcheck.commands.cancel import cancel

    return cancel(chosen)


def _erase(chosen: argparse.Namespace) -> int:
    from claimcheck.commands.erase import erase

    return erase(chosen)


def _verify(chosen: argparse.Namespace) -> int:
    from claimcheck.commands.verify.command import verify

    return verify(chosen)
