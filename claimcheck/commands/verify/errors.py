"""Why `claimcheck verify` cannot do what it was asked."""

from __future__ import annotations


class NoSystem(Exception):
    """`claimcheck up` does not run in this folder, or is not what the client is led to: there is nothing to strike."""
