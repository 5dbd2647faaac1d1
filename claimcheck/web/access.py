"""Who calls: from an API key to its tenant, and who is an operator. Knows hashes of keys, never a key."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

from starlette.datastructures import Headers

from claimcheck.errors import OperatorsOnly, Unauthenticated
from claimcheck.settings import WebSettings

DEFAULT_TENANT = "default"
MAX_KEY_CHARS = 256


def key_hash(key: str) -> str:
    """What the settings keep of a key: SHA-256 in hexadecimal. Keys are 256 random bits, so no salt is needed."""
    return hashlib.sha256(key.encode()).hexdigest()


class Access:
    """Decides for whom a request speaks."""

    def __init__(self, settings: WebSettings) -> None:
        self._keys, self._operators = settings.keys, settings.operator_keys

    def tenant(self, headers: Headers) -> str:
        """Whose jobs the request is about. Raises Unauthenticated.

        Without keys there is one tenant; that such a server listens on loopback only is checked at its start.
        """
        if not self._keys:
            return DEFAULT_TENANT
        known = _matching(self._keys, presented_key(headers))
        if known is None:
            raise Unauthenticated("the API key is unknown", fault="invalid_token")
        return self._keys[known]

    def operator(self, headers: Headers) -> None:
        """Raises Unauthenticated, OperatorsOnly unless the request carries an operator's key."""
        key = presented_key(headers)
        if _matching(self._operators, key) is None:
            raise OperatorsOnly("the API key is not an operator's")


def presented_key(headers: Headers) -> str:
    """The key in `Authorization: Bearer` or `X-API-Key`, or in both if it is the same. Raises Unauthenticated."""
    schemes = (value.strip().partition(" ") for value in headers.getlist("authorization"))
    bearers = (key for scheme, _, key in schemes if scheme.lower() == "bearer")
    keys = {key.strip() for key in (*bearers, *headers.getlist("x-api-key"))} - {""}
    if not keys:
        raise Unauthenticated("no API key came along; send it as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'")
    if len(keys) > 1:
        raise Unauthenticated(f"{len(keys)} different API keys came along; one is expected", fault="invalid_request")
    key = keys.pop()
    if len(key) > MAX_KEY_CHARS:
        detail = f"the API key has {len(key)} characters; the limit is {MAX_KEY_CHARS}"
        raise Unauthenticated(detail, fault="invalid_token")
    return key


def _matching(hashes: Iterable[str], key: str) -> str | None:
    """The hash of `key` among `hashes`. Each is compared in full, whichever matches."""
    presented, found = key_hash(key), None
    for known in hashes:
        if hmac.compare_digest(known, presented):
            found = known
    return found
