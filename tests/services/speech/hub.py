"""A model hub for tests: the few addresses that the hub's client asks for, over HTTP, with one small model."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SHA = "a" * 40
FILES = {
    "model.bin": b"weights" * 1000,
    "config.json": b"{}",
    "tokenizer.json": b'{"model": 1}',
    "vocabulary.txt": b"a\nb\n",
    "README.md": b"not asked for",
}


class Hub(ThreadingHTTPServer):
    """Serves any repository name with the same files; counts the downloads of each file."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.downloads: Counter[str] = Counter()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if "/resolve/" in path:
            self._file(path.rpartition("/")[2])
        elif "/tree/" in path:
            self._json([{"type": "file", "path": n, "size": len(d), "oid": _etag(d)} for n, d in FILES.items()])
        elif path.startswith("/api/models/"):
            self._json({"id": "x/y", "sha": SHA, "siblings": [{"rfilename": name} for name in FILES]})
        else:
            self.send_error(404)

    def _file(self, name: str) -> None:
        if self.command == "GET":
            self.server.downloads[name] += 1
        self._answer(FILES[name], {"ETag": f'"{_etag(FILES[name])}"', "X-Repo-Commit": SHA})

    def _json(self, value: object) -> None:
        self._answer(json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _answer(self, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(200)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def _etag(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


@contextmanager
def running() -> Iterator[Hub]:
    """A hub, until the block ends."""
    with Hub() as hub:
        thread = threading.Thread(target=hub.serve_forever)
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()
