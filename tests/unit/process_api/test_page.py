"""services/process_api/page.py: what the page may do."""

from __future__ import annotations

import pytest

from services.process_api.page import policy


@pytest.mark.parametrize("path", ["", "/status", "/a/b"])
def test_page_may_call_the_status_api_wherever_it_is_mounted(path: str) -> None:
    """A source with a path stands for that very address, and none below it."""
    assert "; connect-src 'self' https://api.example:8443; " in policy(f"https://api.example:8443{path}")
