"""The models of one worker. Importing this loads none of them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from claimcheck.settings import DocumentSettings, MediaSettings, Settings
from services.worker.engines.language import LanguageEngine
from services.worker.engines.whisper import SpeechEngine


@dataclass(frozen=True, kw_only=True)
class Engines:
    """What handlers need of this worker: its models, and the limits under which it opens files for them."""

    speech: SpeechEngine
    media: MediaSettings
    language: LanguageEngine
    documents: DocumentSettings
    readers: asyncio.Semaphore
    """To be held while a child opens an image or a document: there are more slots than memory for children."""

    @classmethod
    def of(cls, settings: Settings) -> Engines:
        """The engines that the settings describe; models are loaded at their first use."""
        return cls(
            speech=SpeechEngine(settings.speech, slots=settings.worker.slots),
            media=settings.media,
            language=LanguageEngine(settings.language),
            documents=settings.documents,
            readers=asyncio.Semaphore(settings.documents.readers),
        )

    async def close(self) -> None:
        """Stop every inference at its next window without waiting for it, and close every connection."""
        self.speech.close()
        await self.language.close()
