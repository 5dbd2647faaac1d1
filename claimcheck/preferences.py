"""What a client would like and the server may ignore (RFC 7240): of all preferences we know `wait`. Pure.

A header that breaks the grammar is no error, just no preference.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Final

LONGEST_WAIT: Final = timedelta(seconds=60)
PREFER: Final = "Prefer"
PREFERENCE_APPLIED: Final = "Preference-Applied"

# Quoted text may hold the separators. One without an end takes all that follows, so that matching stays linear.
_QUOTED = r'"(?:\\.|[^"\\])*"?'
_BETWEEN_COMMAS = re.compile(rf'(?:[^,"]|{_QUOTED})+')
_BEFORE_SEMICOLON = re.compile(rf'(?:[^;"]|{_QUOTED})*')
_DIGITS = re.compile(r"[0-9]+")


def read_wait(headers: Iterable[str]) -> timedelta | None:
    """The `wait` of a request's `Prefer` headers, at most a minute; None without one.

    Of a preference that comes more than once the first counts, also if its value is nonsense (RFC 7240, 2).
    """
    for name, value in _preferences(headers):
        if name == "wait":
            return _seconds(value)
    return None


def applied(wait: timedelta) -> dict[str, str]:
    """The header that says a wait was honoured, and how long a one."""
    return {PREFERENCE_APPLIED: f"wait={wait // timedelta(seconds=1)}"}


def _preferences(headers: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each preference in order: its name in lower case, and its value without quotes. Parameters are dropped."""
    for preference in _BETWEEN_COMMAS.findall(",".join(headers)):
        bare = _BEFORE_SEMICOLON.match(preference)
        name, _, value = (bare.group() if bare else "").partition("=")
        yield name.strip().lower(), value.strip().strip('"')


def _seconds(text: str) -> timedelta | None:
    if not _DIGITS.fullmatch(text):
        return None
    longest_s = LONGEST_WAIT // timedelta(seconds=1)
    digits = text.lstrip("0")
    # Python refuses to convert thousands of digits; three are above the longest wait already.
    return timedelta(seconds=min(int(digits[:3] or "0"), longest_s))
