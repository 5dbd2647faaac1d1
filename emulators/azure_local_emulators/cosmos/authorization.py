"""Check who sends a request: the signature of a master key, or any Entra ID token.

Pure. A resource token is refused: the emulator has no users and permissions.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence
from urllib.parse import unquote

from .errors import ServiceError

# The key that Microsoft publishes for its own emulator; it guards nothing.
WELL_KNOWN_KEY = "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw=="


class Authorizer:
    """Knows the account's key."""

    def __init__(self, key: str) -> None:
        """`key` is base64. Raises ValueError if it is not."""
        try:
            self._key = base64.b64decode(key, validate=True)
        except binascii.Error as cause:
            raise ValueError(f"the account key is not base64: {cause}") from cause

    def check(self, header: str | None, *, method: str, segments: Sequence[str], date: str) -> None:
        """Raises ServiceError (401). `segments` is the decoded path; `date` the request's x-ms-date."""
        if not header:
            raise ServiceError(
                401, "Required Header authorization is missing. Ensure a valid Authorization token is passed."
            )
        fields = dict(part.partition("=")[::2] for part in unquote(header).split("&"))
        if fields.get("type") == "aad" and fields.get("sig"):
            return
        if fields.get("type") != "master" or not self._signed(fields.get("sig", ""), method, segments, date):
            raise ServiceError(
                401,
                "The input authorization token can't serve the request. The wrong key is being used or the expected "
                "payload is not built as per the protocol.",
            )

    def _signed(self, signature: str, method: str, segments: Sequence[str], date: str) -> bool:
        given = signature.encode("utf-8", "surrogatepass")
        return any(
            hmac.compare_digest(given, self._signature(method, kind, link, date)) for kind, link in _resources(segments)
        )

    def _signature(self, method: str, kind: str, link: str, date: str) -> bytes:
        text = f"{method.lower()}\n{kind}\n{link}\n{date.lower()}\n\n"
        return base64.b64encode(hmac.digest(self._key, text.encode("utf-8", "surrogatepass"), "sha256"))


def _resources(segments: Sequence[str]) -> list[tuple[str, str]]:
    """The type and link that the signature covers: the link by names, or only the last id where it is a resource id."""
    if len(segments) % 2:
        kind, owner = segments[-1], segments[:-1]
    else:
        kind, owner = (segments[-2] if segments else ""), segments
    return [(kind.lower(), "/".join(owner)), (kind.lower(), owner[-1].lower() if owner else "")]
