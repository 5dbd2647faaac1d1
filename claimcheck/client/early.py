"""Notice an answer that comes while the file is still being sent, such as a 413: the rest need not be sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpcore


class EarlyAnswer:
    """Watches the connection of one upload. Its `trace` goes into the request's extensions.

    Needs a connection of the upload's own, since only a new one is announced. Under TLS it sees nothing: there the
    server sends session tickets unasked, and whether it has also answered cannot be told without reading.
    """

    def __init__(self) -> None:
        self._stream: Any = None

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Called by httpcore at each step of the request."""
        if event == "connection.connect_tcp.complete":
            self._stream = info["return_value"]
        elif event.endswith("start_tls.started"):
            self._stream = None

    async def atrace(self, event: str, info: Mapping[str, Any]) -> None:
        """The same for the asynchronous client."""
        self.trace(event, info)

    def stop_if_answered(self) -> None:
        """Raises what makes httpcore stop sending and read the answer, as it does when the server stops reading."""
        if self._stream is not None and self._stream.get_extra_info("is_readable"):
            raise httpcore.WriteError("the server answered before the file was sent")
