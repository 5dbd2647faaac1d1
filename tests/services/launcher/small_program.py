"""A program that a launcher can start: it listens, says what happens to it, and misbehaves when told to."""

from __future__ import annotations

import argparse
import http.server
import signal
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from types import FrameType

from tests.stack.waiting import until


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing about requests: readiness asks many times."""


def main() -> None:
    """Listen until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ignore-term", action="store_true")
    parser.add_argument("--end-beside", type=int, help="end without listening, once this port answers")
    parser.add_argument("--child-note", type=Path, help="start a child that never ends, and write its id there")
    chosen = parser.parse_args()
    if chosen.end_beside:
        until(lambda: _answers(chosen.end_beside), f"port {chosen.end_beside} answers")
        sys.exit("I cannot start: the frobnicator is missing")
    if chosen.child_note:
        child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
        chosen.child_note.write_text(str(child.pid))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", chosen.port), _Handler)

    def on_signal(number: int, _: FrameType | None) -> None:
        _say(f"got {signal.Signals(number).name}")
        if number == signal.SIGTERM and not chosen.ignore_term:
            threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    _say(f"listening on {chosen.port}")
    server.serve_forever()
    _say("ended in order")


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
