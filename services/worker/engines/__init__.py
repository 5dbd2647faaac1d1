"""The models of one worker. Importing this loads none of them."""

from __future__ import annotations

from dataclasses import dataclass

from claimcheck.settings import MediaSettings, Settings
from services.worker.engines.whisper import SpeechEngine


@dataclass(frozen=True, kw_only=True)
class Engines:
    """What handlers need of this worker: its models, and the limits under which it opens files for them."""

    speech: SpeechEngine
    media: MediaSettings

    @classmethod
    def of(cls, settings: Settings) -> Engines:
        """The engines that the settings describe; models are loaded at their first use."""
        return cls(speech=SpeechEngine(settings.speech, slots=settings.worker.slots), media=settings.media)

    def close(self) -> None:
        """Stop every inference at its next window; does not wait for it."""
        self.speech.close()
