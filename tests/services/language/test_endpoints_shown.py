"""A worker shows on its health port how its endpoints stand, and what it has asked of them."""

from __future__ import annotations

import httpx

from tests.services.language.conftest import SEEING, Workplace, succeeded
from tests.stack.client import ANSWER_S

READY = "/readyz"


def test_worker_of_the_language_queue_shows_its_endpoints_and_their_numbers(workplace: Workplace) -> None:
    ready_url = workplace.system.programs["language-1"].ready_url
    assert ready_url.endswith(READY)
    before = _asked(ready_url)
    succeeded(workplace.ask("complete", {"text": "What do you show?"}))
    assert _asked(ready_url) == before + 1
    metrics = httpx.get(ready_url.replace(READY, "/metrics"), verify=False, timeout=ANSWER_S).raise_for_status().text
    labels = f'endpoint="first",model="{SEEING}",outcome="answered"'
    assert f"claimcheck_endpoint_requests_total{{{labels}}} {before + 1}" in metrics


def _asked(ready_url: str) -> int:
    """Requests that the first endpoint has answered, as it is shown to people."""
    shown = httpx.get(ready_url.replace(READY, "/endpoints"), verify=False, timeout=ANSWER_S).raise_for_status().json()
    first, _ = shown["endpoints"]
    assert (first["name"], first["state"]) == ("first", "ready")
    return int(first["requests"].get("answered", 0))
