"""What a client calls its file: data to show again, never a path, and nothing that could deceive who reads it. Pure."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote

MAX_CHARS = 255

# A browser writes these three characters of a name so, and no other (HTML, 4.10.21.8, "multipart/form-data").
_ESCAPED = {"%22": '"', "%0D": "\r", "%0A": "\n"}
# Property Bidi_Control of Unicode: they make "gpj.exe" read "exe.jpg".
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_HARMFUL = ("Cc", "Cs", "Zl", "Zp")  # controls, halves of characters, line and paragraph separators
_PARAMETER = re.compile(r"""(?:^|;)\s*([\w!#$&+.^`|~*-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;"\s]*)""")


def shown_name(name: str) -> str:
    """The last component of a path, without control and bidi characters, at most 255 characters; empty if none is left.

    >>> shown_name("C:\\\\recordings\\\\a\\u202eb.wav")
    'ab.wav'
    """
    last = re.split(r"[/\\]", name)[-1]
    kept = "".join(c for c in last if c not in _BIDI and unicodedata.category(c) not in _HARMFUL)
    return "" if not kept.strip(" .") else kept[:MAX_CHARS]


def from_form(name: bytes) -> str:
    """The name in a part's Content-Disposition, as browsers and others write it (UTF-8)."""
    text = name.decode(errors="replace")
    return shown_name(re.sub("%22|%0D|%0A", lambda found: _ESCAPED[found[0]], text))


def from_header(header: str) -> str:
    """The name in a request's Content-Disposition (RFC 6266): `filename*` if it can be read, else `filename`.

    `header` as ASGI gives it, in Latin-1, whatever its bytes meant.
    """
    parameters: dict[str, str] = {}
    for found in _PARAMETER.finditer(header):
        parameters.setdefault(found[1].lower(), found[2])
    encoded = _extended(parameters.get("filename*", ""))
    return shown_name(encoded or _unquoted(parameters.get("filename", "")))


def _extended(value: str) -> str:
    """`UTF-8''na%C3%AFve.wav` (RFC 8187); empty if it is not that."""
    charset, _, rest = value.strip('"').partition("'")
    encoding = {"utf-8": "utf-8", "iso-8859-1": "latin-1"}.get(charset.lower())
    return unquote(rest.partition("'")[2], encoding) if encoding else ""


def _unquoted(value: str) -> str:
    if value[:1] == '"':
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    data = value.encode("latin-1", errors="replace")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return value
