"""What a setting may look like."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from claimcheck.settings import ACCEPT_PAUSE_S, ACCEPT_ROUNDS, Settings, WebSettings
from services.process_api import accept

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
        (
            {"keeper": {"orphan_age_s": 212}},
            "keeper.orphan_age_s is 212; it must exceed 212, the longest time from an upload's commit to its record:"
            " 30 for the commit (web.block_timeout_s or web.dependency_timeout_s) + 60 x web.dependency_timeout_s = 3"
            " + 2 of pauses",
        ),
        ({"web": {"block_timeout_s": 720}}, "keeper.orphan_age_s is 900; it must exceed 902"),
        ({"web": {"dependency_timeout_s": 15}}, "keeper.orphan_age_s is 900; it must exceed 932"),
        (
            {"web": {"block_timeout_s": 5, "dependency_timeout_s": 14.8}},
            "keeper.orphan_age_s is 900; it must exceed 904.8",
        ),
        ({"keeper": {"erase_again_s": 60}}, "keeper.erase_again_s is 60; it must exceed queue.lease_s = 60"),
    ],
)
def test_refusal_of_a_setting_names_it_and_gives_no_secret_away(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        Settings(**{**STORES, **wrong})
    assert said in str(refusal.value)
    assert "SECRET" not in str(refusal.value)


def test_keeper_may_be_as_impatient_as_the_time_limits_allow() -> None:
    keeper = Settings(**{**STORES, "keeper": {"orphan_age_s": 212.1, "erase_again_s": 60.1}}).keeper
    assert (keeper.orphan_age_s, keeper.erase_again_s) == (212.1, 60.1)


def test_longest_time_of_a_request_is_reckoned_from_what_accept_does() -> None:
    assert (ACCEPT_ROUNDS, ACCEPT_PAUSE_S) == (accept.ROUNDS, accept.AGAIN_S)
