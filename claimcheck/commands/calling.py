"""What the client's commands share: a client made of settings and flags, and errors as a line and an exit status."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable
from enum import IntEnum
from typing import Literal, TextIO

from pydantic import SecretStr

from claimcheck.client import Client, ClientError, Retry, ServerUnreachable, Unavailable
from claimcheck.settings import ClientSettings

PATIENCE = Retry(total_s=8.0)  # A person is looking on, and can type the command again.

Key = Literal["key", "operator_key"]


class Exit(IntEnum):
    """What a command ends with."""

    OK = 0
    REFUSED = 1
    """The API said no, or the job failed."""
    USAGE = 2
    """The command line, a file of the caller's or an address is wrong."""
    UNAVAILABLE = 3
    """The API gave no answer, or cannot do it now: the same command may work later."""
    INTERRUPTED = 130
    """Ctrl-C, as shells report it."""
    PIPE_CLOSED = 141
    """Whoever read the output went away, as shells report it."""


def calling(chosen: argparse.Namespace, do: Callable[[Client], Exit], *, key: Key = "key") -> Exit:
    """Call `do` with a client; the exit status. What it raises becomes one line on standard error."""
    try:
        with client_for(chosen, key=key) as client:
            return do(client)
    except BrokenPipeError:
        # The interpreter flushes standard output once more at its end, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.PIPE_CLOSED
    except (ClientError, OSError, ValueError) as error:
        return failed(error)


def client_for(chosen: argparse.Namespace, *, key: Key = "key") -> Client:
    """The client that the flags, else the settings, describe. `key`: which setting has its key. Raises ValueError."""
    settings = ClientSettings()
    secret: SecretStr | None = getattr(settings, key)
    return Client(
        chosen.process_url or settings.process_url,
        chosen.status_url or settings.status_url,
        key=secret.get_secret_value() if secret else None,
        retry=PATIENCE,
        on_retry=lambda again: say(f"{again.reason}; trying again in {again.rest_s:.1f} s"),
    )


def failed(error: Exception) -> Exit:
    """Tell the person of an error; the exit status."""
    say(_line(error))
    return _exit_for(error)


def say(text: str) -> None:
    """Tell the person, on standard error: standard output is for results. If nobody listens, the work goes on."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            sys.stderr.write(printable(text) + "\n")
            sys.stderr.flush()


def write(text: str) -> None:
    """Write a result to standard output, as UTF-8 whatever the locale. Raises ValueError, OSError."""
    output = standard_output().buffer
    output.write(text.encode())
    output.flush()


def standard_output() -> TextIO:
    """Where results go. Raises ValueError if it is closed."""
    if sys.stdout is None:
        raise ValueError("standard output is closed; there is nowhere to print to")
    return sys.stdout


def printable(text: str) -> str:
    """Text as one line that a terminal shows and obeys in nothing: names of files come from anybody."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _exit_for(error: Exception) -> Exit:
    if isinstance(error, Unavailable | ServerUnreachable):
        return Exit.UNAVAILABLE
    return Exit.REFUSED if isinstance(error, ClientError) else Exit.USAGE


def _line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)
