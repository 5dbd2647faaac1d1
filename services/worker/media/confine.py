"""Run a script on a client's file under limits, and pass on what it reports. Run by path, never as part of the worker.

    python -I confine.py SCRIPT MEMORY_BYTES CPU_S FILE_BYTES [ARGUMENT ...]

SCRIPT is a Python file with `report(*arguments: str) -> dict[str, Any]`. Its report goes to stdout as one JSON object;
or `error` and `detail`: the word of a `Refused`, else `disk-full`, `memory` or `crash`. The script is read after the
limits are set, and finds `Refused` here, under this module's own name.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

NAME = "services.worker.media.confine"
FULL = (errno.ENOSPC, errno.EDQUOT)


class Refused(Exception):
    """The file is not what the script takes. `word` is for the parent to understand, `numbers` for its words."""

    def __init__(self, word: str, detail: str = "", **numbers: float | None) -> None:
        super().__init__(word, detail)
        self.word, self.detail, self.numbers = word, detail, numbers


@contextmanager
def reading() -> Iterator[None]:
    """Inside, whatever a library raises is the file's fault, and the word is `unreadable`.

    Hostile bytes make libraries raise nearly anything: KeyError, struct.error, OSError for an impossible offset.
    """
    try:
        yield
    except (Refused, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in FULL:
            raise
        raise Refused("unreadable", type(error).__name__) from error


def limit(memory_bytes: int, cpu_s: int, file_bytes: int) -> None:
    """Bound what this process may use, before it sees the file."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
    # Soft before hard: the process then dies of SIGXCPU, and the parent can say why.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    if sys.platform == "linux":  # macOS has no RLIMIT_AS that works
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


def die_with_parent() -> None:
    """Ask Linux to kill this process when the worker dies; elsewhere the time limits must do."""
    if sys.platform == "linux":
        PR_SET_PDEATHSIG = 1
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def load(script: str) -> Callable[..., dict[str, Any]]:
    """The script's `report`. Not imported: in isolated mode no folder of ours leads to a module."""
    with open(script, "rb") as file:  # noqa: PTH123 - pathlib would be one more import
        code = compile(file.read(), script, "exec")
    names: dict[str, Any] = {"__name__": "confined", "__file__": script}
    exec(code, names)
    found: Callable[..., dict[str, Any]] = names["report"]
    return found


def safe_report(script: str, arguments: list[str]) -> dict[str, Any]:
    """The script's report, with every failure as a word that the parent knows."""
    try:
        return load(script)(*arguments)
    except Refused as refusal:
        return {"error": refusal.word, "detail": refusal.detail, **refusal.numbers}
    except MemoryError:
        return {"error": "memory", "detail": ""}
    except OSError as error:
        return {"error": "disk-full" if error.errno in FULL else "crash", "detail": os.strerror(error.errno or 0)}
    except Exception as error:
        return {"error": "crash", "detail": type(error).__name__}


def main() -> None:
    script, memory_bytes, cpu_s, file_bytes, *arguments = sys.argv[1:]
    die_with_parent()
    limit(int(memory_bytes), int(cpu_s), int(file_bytes))
    # The script raises this very class, not a second one of the same name.
    sys.modules[NAME] = sys.modules["__main__"]
    sys.stdout.write(json.dumps(safe_report(script, arguments)) + "\n")


if __name__ == "__main__":
    main()
