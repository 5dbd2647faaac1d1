"""Turn Ctrl-C, SIGTERM and SIGHUP into two events: stop, and, at a second request, hurry."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable

# `make` passes SIGTERM on to a launcher that may have got it already, and a closing terminal signals more than once.
SAME_REQUEST_S = 1.0


class Stopping:
    """What this process has been asked to do."""

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self.stop = asyncio.Event()
        self.hurry = asyncio.Event()
        self._say, self._clock, self._asked_at = say, clock, 0.0

    def listen(self) -> None:
        """Take over the signals of this process; needs a running loop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # nohup ignores SIGHUP on behalf of its program, and that is to stay so.
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self.request, number)

    def request(self, number: signal.Signals) -> None:
        """Somebody asks for the end."""
        if not self.stop.is_set():
            self._asked_at = self._clock()
            self._say(f"{number.name}: stopping (once more to hurry) ...")
            self.stop.set()
        elif self._clock() - self._asked_at > SAME_REQUEST_S and not self.hurry.is_set():
            self._say("hurrying: what still runs is killed")
            self.hurry.set()
