"""Go on past what fails for one blob or job alone, and end a round in which nothing works any more."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

from claimcheck.errors import DependencyUnavailable

log = logging.getLogger(__name__)

IN_A_ROW = 20  # Each may wait for its time limit: of a dependency that is down, a round learns within minutes.


class Failing:
    """What has failed in one round. The first of it is raised at the end, so that the next round comes sooner."""

    def __init__(self) -> None:
        self._first: Exception | None = None
        self._in_a_row = 0
        """Failures of a dependency since something last worked."""
        self.count = 0

    @contextlib.contextmanager
    def passed_over(self, event: str, **which: str) -> Iterator[None]:
        """Around the work on one thing: its failure is logged as `event` and kept, and the others get their turn.

        First raises what failed first, if as many as `IN_A_ROW` have now failed for want of a dependency.
        """
        if self._first is not None and self._in_a_row >= IN_A_ROW:
            raise self._first
        try:
            yield
        except Exception as error:  # Also what no error of ours says, such as a record of a newer release.
            self._note(event, error, which)
        else:
            self._in_a_row = 0

    def _note(self, event: str, error: Exception, which: dict[str, str]) -> None:
        self._first = self._first or error
        away = isinstance(error, DependencyUnavailable)
        self._in_a_row = self._in_a_row + 1 if away else 0
        self.count += 1
        # Of other errors the type alone: their text may hold what a client sent.
        log.warning(event, extra={**which, "detail": str(error) if away else type(error).__name__})

    def raise_first(self) -> None:
        """At the end of the round: raise what failed first, if anything has."""
        if self._first is not None:
            raise self._first
