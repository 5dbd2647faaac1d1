"""A server whose every answer breaks off in its body."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

from claimcheck.commands.up.addresses import HOST

BEGUN = b'{"v": 1, '


@contextmanager
def broken_answers() -> Iterator[str]:
    """Inside, the server's address."""
    with HTTPServer((HOST, 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Promise more than comes."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(BEGUN) + 1))
        self.send_header("Access-Control-Allow-Origin", "*")
        self.end_headers()
        self.wfile.write(BEGUN)

    def log_message(self, *_: object) -> None:
        """Say nothing: the default writes to the tests' output."""
