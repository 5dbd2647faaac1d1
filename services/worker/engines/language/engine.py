"""Ask whichever endpoint is ready, keep its answer, and learn from how it went. Thin: what follows, `pool` decides."""

from __future__ import annotations

from claimcheck.settings import Capability, LanguageSettings
from services.worker.engines.language.question import Question, Reply
from services.worker.ledger import Ledger


class LanguageEngine:
    """The endpoints of one worker. Safe to share between coroutines of one event loop."""

    def __init__(self, settings: LanguageSettings) -> None:
        """Opens nothing: clients are made at the first request."""
        self.settings = settings

    async def ask(self, question: Question, ledger: Ledger) -> Reply:
        """The answer that counts; one that an earlier delivery has kept is not asked for again.

        Raises NoEndpoint, ModelNotOffered, ContentRefused, ContextTooLong, AnswerInvalid, ModelRequestRefused
        (permanent), EndpointsFailed, ModelFailed (retryable), EndpointsCooling, DependencyUnavailable (of the ledger).
        """
        raise NotImplementedError

    def context_tokens(self, *, needs: frozenset[Capability], model: str | None) -> int:
        """The smallest context of the endpoints that may be asked. Raises NoEndpoint, ModelNotOffered."""
        raise NotImplementedError

    def ready_in_s(self) -> float:
        """Seconds until some endpoint may be asked; 0 if one is ready, or if there is none at all to wait for."""
        raise NotImplementedError

    async def close(self) -> None:
        """Close every connection."""
