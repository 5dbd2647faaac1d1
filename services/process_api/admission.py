"""How many uploads each tenant has under way at this replica, and may have. Each may hold blocks in memory."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

from claimcheck.errors import TooManyUploads

log = logging.getLogger(__name__)


class Admission:
    """Counts uploads by tenant. For one event loop."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._under_way: dict[str, int] = {}

    @contextlib.contextmanager
    def upload(self, tenant: str) -> Iterator[None]:
        """Hold one of the tenant's places. Raises TooManyUploads."""
        held = self._under_way.get(tenant, 0)
        if held >= self.limit:
            log.warning("upload.not_admitted", extra={"tenant": tenant, "limit": self.limit})
            raise TooManyUploads(f"{held} uploads are under way; the limit is {self.limit}", limit=self.limit)
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
