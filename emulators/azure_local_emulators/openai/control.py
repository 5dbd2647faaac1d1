"""What tests ask of the endpoint and no client of the service does: rules, and what was asked.

Owns `/_emulator/...`; needs no key, since the endpoint listens on loopback.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from aiohttp import web

from .script import InvalidRule, Script
from .seen import Requests

DEFAULT_LIMIT = 1000


def answer(
    method: str, path: Sequence[str], raw: bytes, *, query_limit: str, script: Script, requests: Requests
) -> web.Response:
    """`path` is what follows `_emulator`."""
    what = method, "/".join(path)
    if what == ("GET", "health"):
        return web.json_response({"status": "ok"})
    if what == ("GET", "requests"):
        limit = int(query_limit) if query_limit.isdecimal() else DEFAULT_LIMIT
        return web.json_response(requests.report(limit))
    if what == ("DELETE", "requests"):
        requests.clear()
        return web.Response(status=204)
    if path[:1] == ["script"]:
        return _script(method, "/".join(path[1:]), raw, script)
    return _problem(404, f"{what[0]} /_emulator/{what[1]} is unknown.")


def _script(method: str, rule_id: str, raw: bytes, script: Script) -> web.Response:
    if method == "GET" and not rule_id:
        return web.json_response([rule.as_json() for rule in script.rules])
    if method == "POST" and not rule_id:
        try:
            return web.json_response([rule.as_json() for rule in script.add(json.loads(raw))], status=201)
        except (InvalidRule, ValueError) as cause:
            return _problem(400, str(cause))
    if method == "DELETE" and not rule_id:
        script.clear()
        return web.Response(status=204)
    if method == "DELETE" and script.remove(rule_id):
        return web.Response(status=204)
    return _problem(404, f"There is no rule {rule_id!r}, or nothing that {method} does to it.")


def _problem(status: int, message: str) -> web.Response:
    return web.json_response({"error": {"code": str(status), "message": message}}, status=status)
