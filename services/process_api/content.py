"""What a file is: by its content, by what the client claims, by its name, in this order. Pure.

A false refusal is worse than a late failure: only content that is certain counts, of everything else the claim is
believed, and the worker finds out.
"""

from __future__ import annotations

import codecs
import re

from claimcheck.tasks import UNTYPED
from claimcheck.tasks.summarize import DOCX
from services.process_api.signatures import Found, by_own_signature, by_signature

HEAD_BYTES = 4096  # Enough for each signature that counts; the one of ISO 9660 lies at 32 KiB.
PLAIN_TEXT = "text/plain"

# Names of one format, or of one container that holds sound as well as pictures: whichever of them a client claims is
# true, and says more than the container's first bytes.
_SAME = (
    {"audio/wav", "audio/wave", "audio/x-wav", "audio/vnd.wave"},
    {"audio/mpeg", "audio/mp3", "audio/x-mp3", "audio/mpeg3", "audio/x-mpeg-3", "audio/mpga"},
    {"audio/flac", "audio/x-flac"},
    {"audio/aiff", "audio/x-aiff"},
    {"audio/basic", "audio/x-au", "audio/au"},
    {"video/avi", "video/x-msvideo", "video/msvideo"},
    {"application/ogg", "audio/ogg", "video/ogg", "audio/opus", "audio/vorbis", "audio/speex", "audio/x-opus+ogg"},
    {"video/webm", "audio/webm", "video/x-matroska", "audio/x-matroska", "application/x-matroska", "video/matroska"},
    {"video/x-ms-wmv", "audio/x-ms-wma", "video/x-ms-asf", "application/vnd.ms-asf"},
    {
        *("video/mp4", "audio/mp4", "application/mp4", "audio/m4a", "audio/x-m4a", "audio/aac", "audio/x-m4b"),
        *("video/x-m4v", "video/quicktime", "video/3gpp", "audio/3gpp", "video/3gpp2", "audio/3gpp2"),
    },
)
# Text by another name: structured suffixes (RFC 6838, 4.2.8) and types from before there were any.
_TEXTUAL = re.compile(r"text/.*|.*[/+](json|xml|yaml|x-yaml|toml|csv|sql|rtf|javascript|x-subrip|x-ndjson|x-sh)")
_CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]")
# What a name is believed of where the content is nothing for certain, or a zip archive as a DOCX is one. `curl` claims
# nothing of most of these, and the worker that opens the file goes by this type.
_BY_NAME = {
    **dict.fromkeys(("mp4", "m4v"), "video/mp4"),
    **dict.fromkeys(("m4a", "m4b"), "audio/mp4"),
    **dict.fromkeys(("ogg", "oga", "opus"), "audio/ogg"),
    **dict.fromkeys(("aif", "aiff"), "audio/aiff"),
    **dict.fromkeys(("mpg", "mpeg"), "video/mpeg"),
    **{name: f"audio/{name}" for name in ("wav", "flac", "aac", "amr", "ac3")},
    **{name: f"video/{name}" for name in ("webm", "3gpp")},
    "mp3": "audio/mpeg",
    "wma": "audio/x-ms-wma",
    "wmv": "video/x-ms-wmv",
    "au": "audio/basic",
    "caf": "audio/x-caf",
    "mka": "audio/x-matroska",
    "mkv": "video/x-matroska",
    "mov": "video/quicktime",
    "avi": "video/x-msvideo",
    "ts": "video/mp2t",
    "3gp": "video/3gpp",
    **dict.fromkeys(("jpg", "jpeg"), "image/jpeg"),
    **dict.fromkeys(("heic", "heif"), "image/heif"),
    **dict.fromkeys(("tif", "tiff"), "image/tiff"),
    **{name: f"image/{name}" for name in ("png", "webp", "gif", "avif")},
    **dict.fromkeys(("md", "markdown"), "text/markdown"),
    "txt": PLAIN_TEXT,
    "csv": "text/csv",
    "pdf": "application/pdf",
    "docx": DOCX,
}
# What some programs claim of every file that is one, whatever is in it.
_ZIP = frozenset({"application/zip", "application/x-zip-compressed", "application/x-zip"})


def media_type_of(head: bytes, *, whole: bool, claim: str, name: str) -> tuple[str, str]:
    """The type that counts, and what it is known by. `head`: at most HEAD_BYTES; `whole`: the file has no more.

    `claim`: without parameters; empty or application/octet-stream claims nothing. UNTYPED if nothing is known.
    """
    named = _BY_NAME.get(name.rpartition(".")[2].lower(), UNTYPED)
    claimed = claim.lower() not in ("", UNTYPED) and not (claim.lower() in _ZIP and named == DOCX)
    told = claim if claimed else named
    found = look(head, whole=whole)
    if found is None or _agrees(told.lower(), found):
        return told, "its declared type" if claimed else "its name"
    return found.media_type, "its content"


def look(head: bytes, *, whole: bool) -> Found | None:
    """What the content is for certain; None: it may be anything."""
    if not head:
        return None
    own = by_own_signature(head)
    if own is not None:
        return own
    if _is_text(head, whole=whole):
        return Found(PLAIN_TEXT)
    return by_signature(head)


def _is_text(head: bytes, *, whole: bool) -> bool:
    """UTF-8 without control characters; a character may be cut by the end of `head`, not by that of the file."""
    if _CONTROLS.search(head):
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, final=whole)
    except UnicodeDecodeError:
        return False
    return True


def _agrees(told: str, found: Found) -> bool:
    if found.media_type == PLAIN_TEXT:
        return bool(_TEXTUAL.fullmatch(told)) or told == "image/svg+xml"
    names = {found.media_type, *found.also}
    return told in names or any(told in same and names & same for same in _SAME)
