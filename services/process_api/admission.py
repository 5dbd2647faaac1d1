"""How many uploads each tenant has under way at this replica, and may have, alone and with all others.

Each holds up to a block in memory, so the number of all bounds the memory of the process.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

from claimcheck.errors import ServerFull, TooManyUploads

log = logging.getLogger(__name__)


class Admission:
    """Counts uploads by tenant. For one event loop."""

    def __init__(self, limit: int, *, of_all: int) -> None:
        """`limit`: of one tenant; `of_all`: of all tenants together."""
        self.limit, self._of_all = limit, of_all
        self._under_way: dict[str, int] = {}

    @contextlib.contextmanager
    def upload(self, tenant: str) -> Iterator[None]:
        """Hold one of the tenant's places. Raises TooManyUploads, ServerFull."""
        held = self._under_way.get(tenant, 0)
        if held >= self.limit:
            log.warning("upload.not_admitted", extra={"tenant": tenant, "limit": self.limit})
            raise TooManyUploads(f"{held} uploads are under way; the limit is {self.limit}", limit=self.limit)
        if (held_by_all := sum(self._under_way.values())) >= self._of_all:
            log.warning("upload.server_full", extra={"tenant": tenant, "limit": self._of_all})
            raise ServerFull(f"{held_by_all} uploads of all clients are under way here; the limit is {self._of_all}")
        self._under_way[tenant] = held + 1
        try:
            yield
        finally:
            self._under_way[tenant] -= 1
            if not self._under_way[tenant]:
                del self._under_way[tenant]

    def under_way(self) -> dict[str, int]:
        """Uploads by tenant; a tenant without any is not named."""
        return dict(sorted(self._under_way.items()))
