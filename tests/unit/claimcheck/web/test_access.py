"""From a key to its tenant."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from claimcheck.errors import OperatorsOnly, Unauthenticated
from claimcheck.settings import WebSettings
from claimcheck.web import challenge, check_host
from claimcheck.web.access import DEFAULT_TENANT, Access, key_hash

ACME, OTHER, OPERATOR = "cck_acme", "cck_other", "cck_operator"
KEYED = WebSettings(keys={key_hash(ACME): "acme", key_hash(OTHER): "other"}, operator_keys=(key_hash(OPERATOR),))
ANONYMOUS = WebSettings()


def headers(*pairs: tuple[str, str]) -> Headers:
    """Request headers, repeated ones too."""
    return Headers(raw=[(name.lower().encode(), value.encode("latin-1")) for name, value in pairs])


@pytest.mark.parametrize(
    "sent",
    [
        [("Authorization", f"Bearer {ACME}")],
        [("Authorization", f"bearer   {ACME} ")],
        [("X-API-Key", ACME)],
        [("Authorization", f"Bearer {ACME}"), ("X-API-Key", ACME)],
        [("Authorization", f"Bearer {ACME}"), ("X-API-Key", "")],
        [("Authorization", "Basic Zm9v"), ("X-API-Key", ACME)],
    ],
)
def test_key_opens_its_tenant(sent: list[tuple[str, str]]) -> None:
    assert Access(KEYED).tenant(headers(*sent)) == "acme"


@pytest.mark.parametrize(
    ("sent", "fault", "said"),
    [
        ([], "", "no API key"),
        ([("Authorization", "Bearer")], "", "no API key"),
        ([("Authorization", "Bearer ")], "", "no API key"),
        ([("Authorization", ACME)], "", "no API key"),
        ([("Authorization", f"Basic {ACME}")], "", "no API key"),
        ([("X-API-Key", " ")], "", "no API key"),
        ([("X-API-Key", "cck_nobody")], "invalid_token", "unknown"),
        ([("X-API-Key", key_hash(ACME))], "invalid_token", "unknown"),
        ([("X-API-Key", OPERATOR)], "invalid_token", "unknown"),
        ([("X-API-Key", f"{ACME} x")], "invalid_token", "unknown"),
        ([("X-API-Key", "kéy")], "invalid_token", "unknown"),
        ([("X-API-Key", "x" * 257)], "invalid_token", "257 characters; the limit is 256"),
        ([("Authorization", f"Bearer {ACME}"), ("X-API-Key", OTHER)], "invalid_request", "2 different API keys"),
        ([("X-API-Key", ACME), ("X-API-Key", OTHER)], "invalid_request", "2 different API keys"),
        ([("Authorization", f"Bearer {ACME}"), ("Authorization", f"Bearer {OTHER}")], "invalid_request", "2 different"),
    ],
)
def test_without_one_known_key_nothing_opens(sent: list[tuple[str, str]], fault: str, said: str) -> None:
    with pytest.raises(Unauthenticated, match=said) as refusal:
        Access(KEYED).tenant(headers(*sent))
    assert refusal.value.fault == fault
    assert "cck_" not in refusal.value.detail


def test_without_keys_everybody_is_the_one_tenant() -> None:
    assert Access(ANONYMOUS).tenant(headers()) == DEFAULT_TENANT
    assert Access(ANONYMOUS).tenant(headers(("X-API-Key", "whatever"))) == DEFAULT_TENANT


def test_operators_key_is_needed_and_a_tenants_is_none() -> None:
    access = Access(KEYED)
    access.operator(headers(("X-API-Key", OPERATOR)))
    with pytest.raises(OperatorsOnly):
        access.operator(headers(("X-API-Key", ACME)))
    with pytest.raises(Unauthenticated):
        access.operator(headers())
    with pytest.raises(OperatorsOnly):
        Access(ANONYMOUS).operator(headers(("X-API-Key", OPERATOR)))


def test_challenge_tells_the_fault_of_a_key_that_came_along() -> None:
    assert challenge("") == 'Bearer realm="claimcheck"'
    assert challenge("invalid_token") == 'Bearer realm="claimcheck", error="invalid_token"'


@pytest.mark.parametrize(
    "web",
    [
        WebSettings(),
        WebSettings(host="localhost"),
        WebSettings(host="127.0.0.2"),
        WebSettings(host="::1"),
        WebSettings(host="0.0.0.0", allow_anonymous=True),
        WebSettings(host="0.0.0.0", keys=KEYED.keys),
    ],
)
def test_server_listens_on_loopback_with_keys_or_when_told_to(web: WebSettings) -> None:
    check_host(web)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "10.0.0.1", "example.org", "127.0.0.1.example.org"])
def test_server_without_keys_refuses_to_listen_beyond_loopback(host: str) -> None:
    for web in (WebSettings(host=host), WebSettings(host=host, operator_keys=KEYED.operator_keys)):
        with pytest.raises(SystemExit, match=r"CLAIMCHECK_WEB__KEYS.*CLAIMCHECK_WEB__ALLOW_ANONYMOUS"):
            check_host(web)
