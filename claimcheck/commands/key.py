"""`claimcheck key`: make an API key, and say what the settings need to know of it. Stores nothing."""

from __future__ import annotations

import json
import re
import secrets
import sys

from claimcheck.messages import NAME
from claimcheck.web.access import key_hash

PREFIX = "cck_"  # So that a key is known for one where it should not be: in a log, or in a repository.
RANDOM_BYTES = 32
KEYS_VARIABLE, OPERATOR_KEYS_VARIABLE = "CLAIMCHECK_WEB__KEYS", "CLAIMCHECK_WEB__OPERATOR_KEYS"
NOT_A_TENANT = 2  # what argparse ends with for a bad argument


def new_key() -> str:
    """256 random bits, in characters that need no quotes in a shell, a header or a URL."""
    return PREFIX + secrets.token_urlsafe(RANDOM_BYTES)


def make_key(tenant: str | None) -> int:
    """Print a new key of the tenant, or without one of an operator; the exit status."""
    if tenant is not None and not re.fullmatch(NAME, tenant):
        sys.stderr.write(f"claimcheck key: the tenant is {tenant[:80]!r}; it must match {NAME}\n")
        return NOT_A_TENANT
    sys.stdout.write(_told(new_key(), tenant))
    return 0


def _told(key: str, tenant: str | None) -> str:
    known = key_hash(key)
    owner = "an operator" if tenant is None else f"tenant {tenant}"
    variable = OPERATOR_KEYS_VARIABLE if tenant is None else KEYS_VARIABLE
    setting = json.dumps([known] if tenant is None else {known: tenant})
    return (
        f"key      {key}\n"
        f"sha-256  {known}\n"
        f"setting  {variable}='{setting}'\n\n"
        f"The key is of {owner}. It is kept nowhere: hand it over now. The APIs need the setting only, beside the\n"
        "keys that are in it already, and are started anew to read it.\n"
    )
