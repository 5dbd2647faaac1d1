"""Ask for summaries: of a text, of one of its windows, of summaries. Every question has a name that does not change.

The names make a redelivery find the answers that are there: they say what was asked about, and a text that was cut in
another way has other names.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from claimcheck.errors import ContextTooLong
from claimcheck.language import SummarizeOptions
from services.worker.engines.language import LanguageEngine, Question, Reply
from services.worker.language import budget, combining, prompts, text_windows
from services.worker.language.fencing import instructed
from services.worker.language.prompts import Prompt
from services.worker.ledger import Ledger
from services.worker.stage import StageRun

T = TypeVar("T")

WHOLE = prompts.load("summarize", 1)
WINDOW = prompts.load("summarize-window", 1)
COMBINE = prompts.load("summarize-combine", 1)

AT_ONCE = 4  # questions of one delivery: as many as parts of one job, see `claimcheck.tasks.summarize`
LEAST_CHARS = 200  # Two sentences: a model that refuses these as too long means something else.


@dataclass(frozen=True)
class Asking:
    """A prompt with what belongs to it."""

    prompt: Prompt
    instructions: str
    output_tokens: int
    room_bytes: int
    """The longest text to ask about."""


class Summarizing:
    """The questions of one stage of one job."""

    def __init__(self, options: SummarizeOptions, engine: LanguageEngine, ledger: Ledger) -> None:
        """Raises NoEndpoint, ModelNotOffered."""
        self._options, self._engine, self._ledger = options, engine, ledger
        self._context_tokens = engine.context_tokens(needs=frozenset({"chat"}), model=options.model)

    @classmethod
    def of(cls, run: StageRun) -> Summarizing:
        """Those of this run. Raises NoEndpoint, ModelNotOffered."""
        return cls(SummarizeOptions.model_validate(run.options), run.engines.language, run.ledger)

    def whole(self) -> Asking:
        """For a text that fits one question. Raises ContextTooLong if none would."""
        return self._asking(WHOLE, self._options.max_words, is_last=True)

    def window(self, parts: int) -> Asking:
        """For one of so many windows. Raises ContextTooLong if no text would fit."""
        return self._asking(WINDOW, budget.words_of_part(self._options.max_words, parts), is_last=False)

    def combine(self) -> Asking:
        """For the summaries of windows. Raises ContextTooLong if none would fit."""
        return self._asking(COMBINE, self._options.max_words, is_last=True)

    async def ask(self, asking: Asking, name: str, text: str) -> Reply:
        """The answer about this text. Raises the errors of `LanguageEngine.ask`."""
        question = Question(
            name=name,
            messages=instructed(asking.instructions, text),
            model=self._options.model,
            max_output_tokens=asking.output_tokens,
        )
        return await self._engine.ask(question, self._ledger)

    async def digest(self, asking: Asking, name: str, text: str) -> list[Reply]:
        """The same in one answer or, of a text that has more tokens than were estimated, in one for each half of it."""
        try:
            return [await self.ask(asking, name, text)]
        except ContextTooLong:
            if len(text) < 2 * LEAST_CHARS:
                raise
        halves = [half for half in text_windows.halves(text) if half.strip()]
        digests = [await self.digest(asking, f"{name}.{number}", half) for number, half in enumerate(halves)]
        return [reply for replies in digests for reply in replies]

    async def combined(self, texts: Sequence[str]) -> Reply:
        """One summary of summaries; with less of them in a question while a model refuses it as too long."""
        asking = self.combine()
        room_bytes = asking.room_bytes
        while True:
            try:
                return await self._combined_within(asking, texts, room_bytes)
            except ContextTooLong:
                room_bytes //= 2
                if room_bytes < 2 * LEAST_CHARS:
                    raise

    async def _combined_within(self, asking: Asking, texts: Sequence[str], room_bytes: int) -> Reply:
        number = 0
        while True:
            texts = combining.fitted(texts, room_bytes=room_bytes)
            groups = combining.grouped(texts, room_bytes=room_bytes)
            contents = [combining.joined(texts, group) for group in groups]
            name = f"combine-{room_bytes}-{number}"
            if len(contents) == 1:
                return await self.ask(asking, name, contents[0])
            replies = await in_order(
                [partial(self.ask, asking, f"{name}-{group}", content) for group, content in enumerate(contents)]
            )
            texts, number = [reply.call.text for reply in replies], number + 1

    def _asking(self, prompt: Prompt, max_words: int, *, is_last: bool) -> Asking:
        language = prompts.language_called(self._options.language, otherwise="the language of the text")
        instructions = prompt.filled(language=language, max_words=max_words)
        settings = self._engine.settings
        output_tokens = budget.answer_tokens(
            max_words, at_least=settings.max_output_tokens, context_tokens=self._context_tokens
        )
        if is_last and self._options.max_output_tokens:
            output_tokens = min(self._options.max_output_tokens, self._context_tokens // budget.SHARE_OF_ANSWER)
        room_bytes = budget.window_bytes(
            instructions,
            context_tokens=self._context_tokens,
            window_tokens=settings.window_tokens,
            output_tokens=output_tokens,
        )
        return Asking(prompt, instructions, output_tokens, room_bytes)


async def in_order(calls: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
    """What each call comes to, in their order, some at a time. Raises what the first of these failed of.

    Those that were begun with one that fails are let end: their answers may be paid for already.
    """
    found: list[T] = []
    for first in range(0, len(calls), AT_ONCE):
        some = [asyncio.ensure_future(call()) for call in calls[first : first + AT_ONCE]]
        try:
            await asyncio.wait(some)
        finally:
            for one in some:
                one.cancel()
            await asyncio.gather(*some, return_exceptions=True)
        found += [one.result() for one in some]
    return found
