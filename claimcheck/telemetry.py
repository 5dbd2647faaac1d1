"""Logs and trace context. A log line is a stable event name ("job.succeeded") and fields; never a payload or a secret.

Locally a line is for reading; with `CLAIMCHECK_LOG__FORMAT=json` it is one JSON object for a collector.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import secrets
import sys
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from claimcheck.job import timestamp
from claimcheck.settings import LogSettings

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
# The SDKs tell each request and reconnect at INFO, which our own lines say as far as we need it; openai even prompts.
_QUIET = ("azure", "uvicorn", "httpx", "httpcore", "httpx2", "httpcore2", "openai", "faster_whisper", "huggingface_hub")
_CONTEXT: ContextVar[Mapping[str, Any]] = ContextVar("log_context", default=MappingProxyType({}))
_TRACEPARENT = re.compile(r"^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")


def configure_logging(settings: LogSettings) -> None:
    """Send every log line to standard output."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Json() if settings.format == "json" else _Text())
    logging.basicConfig(level=settings.level, handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    # A malformed body is an answer to its client, and no news here.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    # A lost connection is logged by the SDK with a traceback although it recovers; ours is one line.
    logging.getLogger("azure.servicebus").setLevel(logging.CRITICAL)


@contextlib.contextmanager
def log_context(**fields: Any) -> Iterator[None]:
    """Add `fields` to every log line of this task, and of the tasks it starts, while the context lasts.

    Contexts nest. A line's own `extra` wins over the context, and an inner context over an outer one.
    """
    token = _CONTEXT.set({**_CONTEXT.get(), **fields})
    try:
        yield
    finally:
        _CONTEXT.reset(token)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    own = {key: value for key, value in vars(record).items() if key not in _STANDARD}
    # Read while the line is formatted, which the handler does at once in the task that logs.
    return {**_CONTEXT.get(), **own}


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC)
        fields = " ".join(f"{key}={_on_one_line(value)}" for key, value in _fields(record).items())
        line = f"{at:%H:%M:%S}.{at.microsecond // 1000:03d} {record.levelname:<7} {record.getMessage()} {fields}"
        return f"{line.rstrip()}\n{self.formatException(record.exc_info)}" if record.exc_info else line.rstrip()


def _on_one_line(value: object) -> str:
    """The value as text that cannot be taken for a line of its own, whoever wrote it."""
    text = str(value)
    return text if text.isprintable() else repr(text)


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": timestamp(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def traceparent(received: str | None) -> str:
    """The caller's trace context (W3C Trace Context) if it is valid, else a new one."""
    if received and _TRACEPARENT.match(received):
        return received
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def trace_id(parent: str) -> str:
    """The trace's id, for log lines; empty if `parent` is none."""
    return parent.split("-")[1] if _TRACEPARENT.match(parent) else ""
