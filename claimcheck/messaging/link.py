"""Closing a link of the Service Bus SDK, whatever state it is in."""

from __future__ import annotations

import asyncio
import logging

from azure.core.exceptions import AzureError
from azure.servicebus.aio import ServiceBusReceiver, ServiceBusSender

log = logging.getLogger(__name__)

CLOSE_S = 2.0  # The SDK sleeps 1 s while it closes a link.


async def closed(link: ServiceBusSender | ServiceBusReceiver) -> None:
    """Close a link that may be broken: within a time limit, and without caring how."""
    try:
        async with asyncio.timeout(CLOSE_S):
            await link.close()
    except (AzureError, ValueError, OSError, AttributeError) as cause:  # AttributeError: a link that never opened
        log.debug("link.close_failed", extra={"cause": type(cause).__name__})
