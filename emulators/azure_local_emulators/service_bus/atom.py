"""The Atom form in which the service describes queues, as ServiceBusAdministrationClient reads and writes it.

Owns the XML; pure. Only elements that say something about a queue without sessions and forwarding are filled.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from .queue import Queue
from .settings import InvalidSettings

CONTENT_TYPE = "application/atom+xml;type=entry;charset=utf-8"
_ATOM = "http://www.w3.org/2005/Atom"
_CONNECT = "http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"
_COUNTS = "http://schemas.microsoft.com/netservices/2011/06/servicebus"
_FOR_EVER = "P10675199DT2H48M5.4775807S"
_MAX_SIZE_MB = "1024"


def queue_entry(queue: Queue) -> str:
    """One queue: its settings and its counts."""
    name, now = escape(queue.settings.name), datetime.now(UTC).isoformat().replace("+00:00", "Z")
    description = _elements(_description(queue, now)[:-1]) + _count_details(queue) + _elements(_AFTER_THE_COUNTS)
    return (
        f'<entry xmlns="{_ATOM}"><id>{name}</id><title type="text">{name}</title>'
        f"<published>{now}</published><updated>{now}</updated>"
        f'<content type="application/xml"><QueueDescription xmlns="{_CONNECT}">{description}</QueueDescription>'
        "</content></entry>"
    )


def feed(entries: Iterable[str]) -> str:
    """Several queues. An empty feed is also how the service says that one queue does not exist."""
    return f'<feed xmlns="{_ATOM}"><title type="text">Queues</title>{"".join(entries)}</feed>'


def failure(status: int, detail: str) -> str:
    """An error."""
    return f"<Error><Code>{status}</Code><Detail>{escape(detail)}</Detail></Error>"


def queue_properties(body: bytes) -> dict[str, str]:
    """The filled elements of a QueueDescription that a client sends. Raises InvalidSettings."""
    try:
        description = ElementTree.fromstring(body).find(f".//{{{_CONNECT}}}QueueDescription")
    except ElementTree.ParseError as cause:
        raise InvalidSettings(f"the body is no XML: {cause}") from cause
    if description is None:
        raise InvalidSettings("the body has no QueueDescription")
    return {element.tag.rpartition("}")[2]: (element.text or "").strip() for element in description}


_AFTER_THE_COUNTS = [
    ("AutoDeleteOnIdle", _FOR_EVER),
    ("EnablePartitioning", "false"),
    ("EntityAvailabilityStatus", "Available"),
    ("EnableExpress", "false"),
]


def _description(queue: Queue, now: str) -> list[tuple[str, str]]:
    """In the order of the service's schema; the SDK's parser does not mind another."""
    size_bytes = sum(message.size_bytes for message in queue.messages.values())
    assert queue.dead_letters is not None
    return [
        *(("MaxSizeInMegabytes", _MAX_SIZE_MB), *queue.settings.properties().items()),
        ("EnableBatchedOperations", "true"),
        ("SizeInBytes", str(size_bytes)),
        ("MessageCount", str(len(queue.messages) + len(queue.dead_letters.messages))),
        ("Status", "Active"),
        *((moment, now) for moment in ("CreatedAt", "UpdatedAt", "AccessedAt")),
        ("SupportOrdering", "true"),
    ]


def _count_details(queue: Queue) -> str:
    assert queue.dead_letters is not None
    counts = queue.counts()
    details = {
        "ActiveMessageCount": counts["active"] + counts["locked"] + counts["deferred"],
        "DeadLetterMessageCount": len(queue.dead_letters.messages),
        "ScheduledMessageCount": counts["scheduled"],
        "TransferMessageCount": 0,
        "TransferDeadLetterMessageCount": 0,
    }
    inside = "".join(f"<d:{name}>{count}</d:{name}>" for name, count in details.items())
    return f'<CountDetails xmlns:d="{_COUNTS}">{inside}</CountDetails>'


def _elements(pairs: Iterable[tuple[str, Any]]) -> str:
    return "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in pairs)
