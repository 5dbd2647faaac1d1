"""Where a file's bytes come from: a form's part, or the body as it is. Pure: bytes in, bytes out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Protocol

from claimcheck.errors import MalformedUpload
from services.process_api.file_names import from_header

FIELDS = ("task", "options")
"""What a request says besides the file."""
# RFC 6838, 4.2. The type becomes a header of the blob, so nothing else may be in it.
MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}")
# What `curl --data-binary` says of any body.
_SAYS_NOTHING = "application/x-www-form-urlencoded"


class Source(Protocol):
    """What is known of a submission while its body arrives."""

    name: str
    """The file's; known once it has bytes, like `claim`."""
    claim: str
    """The type that the client names, without parameters; empty if it names none."""
    rest_limit_bytes: int
    """How much of a body may be something else than the file."""

    @property
    def fields(self) -> Mapping[str, str]:
        """`task` and `options` as far as they have come."""

    def feed(self, chunk: bytes) -> list[bytes]:
        """The file's bytes in `chunk`. Raises MalformedUpload."""

    def finish(self) -> None:
        """The body has ended. Raises MalformedUpload if it should not have."""


class Raw:
    """A body that is the file."""

    rest_limit_bytes = 0

    def __init__(self, headers: Mapping[str, str], given: Mapping[str, str]) -> None:
        """`given`: what the query says. Raises MalformedUpload."""
        self._given = given
        self.name = from_header(headers.get("content-disposition", ""))
        claim = claimed_type(headers.get("content-type", ""))
        if claim.lower().startswith("multipart/"):
            raise MalformedUpload(f"the content type is {claim[:80]!r}; multipart/form-data is expected")
        self.claim = "" if claim.lower() == _SAYS_NOTHING else claim

    @property
    def fields(self) -> Mapping[str, str]:
        """What the query says."""
        return self._given

    def feed(self, chunk: bytes) -> list[bytes]:
        """All of it."""
        return [chunk] if chunk else []

    def finish(self) -> None:
        """Whatever came is the file."""


def claimed_type(header: str) -> str:
    """The type in a Content-Type header, without its parameters; empty stays empty. Raises MalformedUpload."""
    media_type = header.partition(";")[0].strip(" \t")
    if media_type and not MEDIA_TYPE.fullmatch(media_type):
        raise MalformedUpload(f"the content type of the file is {media_type[:80]!r}; one like 'audio/mpeg' is expected")
    return media_type
