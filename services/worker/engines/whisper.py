"""Whisper through faster-whisper. Owns the loaded models and the threads, called slots, that run them.

Knows no job and no client's file: it takes decoded audio (signed 16 bit, mono, 16 kHz) and gives back what was said.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import statistics
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from claimcheck.errors import LanguageNotSupported, ModelNotOffered, ModelUnavailable
from claimcheck.settings import SpeechSettings
from claimcheck.transcript import Segment, Word
from services.worker.media.windows import RATE, SAMPLE_BYTES, Samples, Span, read, speech, windows

log = logging.getLogger(__name__)

BEAM_SIZE = 5  # base int8: 1.1 % word errors on 285 words, the same as float32
DETECTION_S = 30.0  # one pass of the encoder; a first "Yes." of half a second would be guessed wrong


@dataclass(frozen=True, kw_only=True)
class Speech:
    """What a model heard. Times are seconds from the start of the file."""

    language: str | None
    """None if none was asked for and there was no speech."""
    language_probability: float | None
    model: str
    text: str
    segments: tuple[Segment, ...]


class _Stopped(Exception):
    """Nobody waits for this inference any more."""


@dataclass(frozen=True, kw_only=True)
class _Request:
    pcm: Path
    model: str
    language: str | None
    progress: Callable[[float], None]
    stop: threading.Event


class SpeechEngine:
    """Transcribes on `slots` threads; one model per name, loaded at its first use, shared by all of them."""

    def __init__(self, settings: SpeechSettings, *, slots: int = 1) -> None:
        self.settings = settings
        self._slots = slots
        self._threads = ThreadPoolExecutor(slots, thread_name_prefix="whisper")
        self._models: dict[str, Any] = {}
        self._loading = threading.Lock()
        self._closed = threading.Event()

    async def transcribe(
        self, pcm: Path, *, language: str | None, model: str | None, progress: Callable[[float], None]
    ) -> Speech:
        """Transcribe signed 16-bit mono PCM at 16 kHz; `progress` is called from another thread with 0 to 1.

        Waits for a free slot. Cancelled, it returns at once, but its slot stays taken until the model call that is
        running returns: there is no way to interrupt one.
        Raises LanguageNotSupported, ModelNotOffered, ModelUnavailable.
        """
        stop = threading.Event()
        request = _Request(pcm=pcm, model=self._offered(model), language=language, progress=progress, stop=stop)
        try:
            return await asyncio.wrap_future(self._threads.submit(self._run, request))
        finally:
            stop.set()

    def close(self) -> None:
        """Take no more work and end what runs at its next segment; does not wait for it."""
        self._closed.set()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _offered(self, name: str | None) -> str:
        if name is None or name == self.settings.model or name in self.settings.models:
            return name or self.settings.model
        offered = ", ".join(self.settings.models)
        raise ModelNotOffered(f"the options ask for the model {name}; this installation offers {offered}")

    # What follows runs on a slot's thread.

    def _run(self, request: _Request) -> Speech:
        model = self._model(request.model)
        _check_language(model, request)
        spans = windows(speech(request.pcm))
        language, probability, spans = _language(model, request, spans)
        texts, segments = [], []
        for found, text in self._segments(model, request, language, spans):
            segments.append(found)
            texts.append(text)
        return Speech(
            language=language,
            language_probability=probability,
            model=Path(request.model).name,
            text="".join(texts).strip(),
            segments=tuple(segments),
        )

    def _segments(
        self, model: Any, request: _Request, language: str | None, spans: Iterator[Span]
    ) -> Iterator[tuple[Segment, str]]:
        """Each segment and its text as the model spaces it: Japanese has none between segments, English one."""
        total = request.pcm.stat().st_size // SAMPLE_BYTES
        for window in spans:
            self._check_wanted(request)
            found, _ = model.transcribe(
                read(request.pcm, window),
                language=language,
                beam_size=BEAM_SIZE,
                word_timestamps=True,
                condition_on_previous_text=False,  # tiny.en, long silences: 3.6 % word errors with it, 2.0 % without
            )
            for segment in found:
                self._check_wanted(request)
                yield _segment(segment, window), segment.text
            request.progress(window.end / total)

    def _check_wanted(self, request: _Request) -> None:
        if request.stop.is_set() or self._closed.is_set():
            raise _Stopped("the inference was stopped")

    def _model(self, name: str) -> Any:
        if name in self._models:  # Without the lock: loading another model may take minutes.
            return self._models[name]
        with self._loading:
            if name not in self._models:
                self._models[name] = self._load(name)
            return self._models[name]

    def _load(self, name: str) -> Any:
        try:
            return self._loaded(name)
        except ModelUnavailable as error:
            # The client reads what a job failed of: paths and addresses of this worker are for its log.
            log.error("model.unavailable", extra={"model": name, "detail": error.detail})
            raise ModelUnavailable(f"the model {name} cannot be had on this worker now") from error

    def _loaded(self, name: str) -> Any:
        # Here, not above: they load ctranslate2 and the hub's client, which only a worker that transcribes needs.
        from faster_whisper import WhisperModel

        from services.worker.engines import model_sources

        settings = self.settings
        folder = model_sources.find(name, settings.models_dir, hub_timeout_s=settings.hub_timeout_s)
        try:
            model = WhisperModel(
                str(folder),
                device=settings.device,
                compute_type=settings.compute_type,
                cpu_threads=settings.cpu_threads,
                num_workers=self._slots,
                local_files_only=True,
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise ModelUnavailable(f"the model {name} in {folder} cannot be loaded: {error}") from error
        log.info("model.loaded", extra={"model": name, "folder": str(folder)})
        return model


def _check_language(model: Any, request: _Request) -> None:
    language = request.language
    if language is None:
        return
    if not model.model.is_multilingual and language != "en":
        raise LanguageNotSupported(f"the model {request.model} knows only en; the options ask for {language}")
    if model.model.is_multilingual and model.hf_tokenizer.token_to_id(f"<|{language}|>") is None:
        raise LanguageNotSupported(f"the model {request.model} does not know {language}, which the options ask for")


def _language(model: Any, request: _Request, spans: Iterator[Span]) -> tuple[str | None, float | None, Iterator[Span]]:
    """The language, its probability, and the windows again: the first ones were taken to tell it from."""
    if request.language is not None:
        return request.language, 1.0, spans
    opening = list(_opening(spans))
    if not opening:
        return None, None, iter(())
    spans = itertools.chain(opening, spans)
    if not model.model.is_multilingual:
        return "en", 1.0, spans
    samples: Samples = np.concatenate([read(request.pcm, window) for window in opening])
    language, probability, _ = model.detect_language(samples[: int(DETECTION_S * RATE)])
    return language, float(probability), spans


def _opening(spans: Iterator[Span]) -> Iterator[Span]:
    """Take windows until they hold enough speech to tell the language from."""
    taken_s = 0.0
    while taken_s < DETECTION_S and (window := next(spans, None)) is not None:
        taken_s += window.duration_s
        yield window


def _segment(found: Any, window: Span) -> Segment:
    """A segment of faster-whisper, whose times count from the window's start, in seconds from the file's start."""
    words = tuple(
        Word(
            start_s=_absolute(word.start, window),
            end_s=_absolute(word.end, window),
            text=word.word.strip(),
            confidence=_probability(word.probability),
        )
        for word in found.words or ()
    )
    return Segment(
        start_s=_absolute(found.start, window),
        end_s=_absolute(found.end, window),
        text=found.text.strip(),
        # The model's own figure is one for the whole window; a mean of its words says which sentence is in doubt.
        confidence=statistics.fmean(word.confidence for word in words)
        if words
        else _probability(math.exp(found.avg_logprob)),
        words=words,
    )


def _absolute(time_s: float, window: Span) -> float:
    # Within the window: the model's grid of 20 ms may end after the last sample.
    return window.start_s + min(max(float(time_s), 0.0), window.duration_s)


def _probability(value: float) -> float:
    return min(max(float(value), 0.0), 1.0)
