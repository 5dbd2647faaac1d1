"""What one connection may hold up: bytes that it sends before their turn, and answers that it does not read."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import socket
import struct
import termios
from collections.abc import Callable

from uvicorn.protocols.http.flow_control import FlowControl

log = logging.getLogger(__name__)


class Flow(FlowControl):
    """uvicorn's flow control, which reads on only while it may, and ends a connection that takes none of its answer.

    Asks for the buffer once per window, not per write, so that an ordinary answer pays next to nothing.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        write_s: float,
        may_read: Callable[[], bool],
    ) -> None:
        """`write_s`: a window in which the client must take at least a byte of what waits for it."""
        super().__init__(transport)
        self._loop, self._write_s, self._may_read = loop, write_s, may_read
        self._unread_bytes = 0
        self._moved = False
        self._timer: asyncio.TimerHandle | None = None

    def resume_reading(self) -> None:
        """Read on. Whoever waits for the client's end asks for it too, and then there may be no room."""
        if self._may_read():
            super().resume_reading()

    def pause_writing(self) -> None:
        """The client reads more slowly than the application writes."""
        super().pause_writing()
        self.watch()

    def resume_writing(self) -> None:
        """The client has taken nearly everything, and the application writes again."""
        self._moved = True
        super().resume_writing()

    def watch(self) -> None:
        """Something was written last, and need not be taken yet."""
        self._moved = True
        if self._timer is None and self._transport.get_write_buffer_size():
            self._begin_window()

    def end(self) -> None:
        """The connection is gone."""
        if self._timer is not None:
            self._timer.cancel()

    def _begin_window(self) -> None:
        self._unread_bytes, self._moved = _unread_bytes(self._transport), False
        self._timer = self._loop.call_later(self._write_s, self._end_window)

    def _end_window(self) -> None:
        self._timer = None
        if not self._transport.get_write_buffer_size():
            return
        unread_bytes = _unread_bytes(self._transport)
        # More than before is movement as well: it is bounded, since a full buffer stops the application.
        if self._moved or unread_bytes != self._unread_bytes:
            self._begin_window()
            return
        log.info("connection.unread", extra={"unread_bytes": unread_bytes, "limit_s": self._write_s})
        # Closing would wait for the client to read, and without a reset the kernel would do so for minutes.
        reset = struct.pack("ii", 1, 0)
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        self._transport.abort()


def _unread_bytes(transport: asyncio.Transport) -> int:
    """What the client's machine has not taken, in this process and in the kernel.

    The kernel asks for more only once a third of its megabytes is free: a slow reader would look like none.
    """
    unread_bytes = transport.get_write_buffer_size()
    with contextlib.suppress(OSError, ValueError):  # The connection is gone, or the system does not say.
        in_kernel = fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
        unread_bytes += struct.unpack("i", in_kernel)[0]
    return unread_bytes
