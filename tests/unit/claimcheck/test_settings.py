"""What a setting may look like."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from claimcheck.settings import Settings, WebSettings

STORES: dict[str, Any] = {
    "blobs": {"connection_string": "AccountName=a;AccountKey=SECRET"},
    "queue": {"connection_string": "Endpoint=sb://a;SharedAccessKey=SECRET"},
}


def test_addresses_lose_the_slash_at_their_end() -> None:
    web = WebSettings(process_url="https://jobs.test/", status_url="https://jobs.test/status//")
    assert (web.process_url, web.status_url) == ("https://jobs.test", "https://jobs.test/status")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"web": {"keys": {"SECRET": "acme"}}}, "1 of the names in web.keys are no SHA-256"),
        ({"web": {"keys": {"0" * 63 + "\n": "acme"}}}, "1 of the names in web.keys are no SHA-256"),
        ({"web": {"keys": {"0" * 64: "Acme"}}}, "a-z0-9-"),
        ({"web": {"operator_keys": ["SECRET"]}}, "web.operator_keys.0"),
        ({"queue": {**STORES["queue"], "renew_s": 50}}, "queue.renew_s is 50; it must be under half of lease_s = 60"),
        ({"blobs": {**STORES["blobs"], "block_bytes": 1}}, "blobs.block_bytes"),
    ],
)
def test_refusal_of_a_setting_names_it_and_gives_no_secret_away(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        Settings(**{**STORES, **wrong})
    assert said in str(refusal.value)
    assert "SECRET" not in str(refusal.value)
