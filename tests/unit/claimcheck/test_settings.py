"""What a setting may look like."""

from __future__ import annotations

from claimcheck.settings import WebSettings


def test_addresses_lose_the_slash_at_their_end() -> None:
    web = WebSettings(process_url="https://jobs.test/", status_url="https://jobs.test/status//")
    assert (web.process_url, web.status_url) == ("https://jobs.test", "https://jobs.test/status")
