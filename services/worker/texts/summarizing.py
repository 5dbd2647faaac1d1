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
from claimcheck.language import ResultWarning, SummarizeOptions
from services.worker.engines.language import LanguageEngine, Question, Reply
from services.worker.ledger import Ledger
from services.worker.stage import StageRun
from services.worker.texts import answers, budget, combining, cutting, prompts
from services.worker.texts.fencing import instructed
from services.worker.texts.manifest import PAGE_ENDS
from services.worker.texts.prompts import Prompt

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

    def window(self, parts: int, *, word_bytes: int = budget.LEAST_BYTES_PER_WORD) -> Asking:
        """For one of so many windows, of a text with words so long. Raises ContextTooLong if no text would fit."""
        return self._asking(WINDOW, self._words_of_part(parts, self._combining_room_bytes(), word_bytes), is_last=False)

    async def ask(self, asking: Asking, name: str, text: str) -> Reply:
        """The answer about this text. Raises the errors of `LanguageEngine.ask`."""
        question = Question(
            name=name,
            # A page's end tells where a text was cut, and a model nothing.
            messages=instructed(asking.instructions, text.replace(PAGE_ENDS, "\n")),
            model=self._options.model,
            max_output_tokens=asking.output_tokens,
            divisible=len(text) >= 2 * LEAST_CHARS,
        )
        return await self._engine.ask(question, self._ledger)

    async def check_ready(self, name: str) -> None:
        """Raise if this question could not be asked now anyway. See `LanguageEngine.check_ready`."""
        await self._engine.check_ready(name, self._ledger, model=self._options.model)

    async def digest(self, asking: Asking, name: str, text: str) -> list[Reply]:
        """The same in one answer or, of a text that has more tokens than were estimated, in one for each half of it."""
        try:
            return [await self.ask(asking, name, text)]
        except ContextTooLong:
            if len(text) < 2 * LEAST_CHARS:
                raise
        halves = [half for half in cutting.halves(text) if half.strip()]
        digests = [await self.digest(asking, f"{name}.{number}", half) for number, half in enumerate(halves)]
        return [reply for replies in digests for reply in replies]

    async def combined(self, texts: Sequence[str]) -> tuple[Reply, list[ResultWarning]]:
        """One summary of summaries, and what is missing from it; with less of them in a question while a model refuses
        it as too long. Raises ContextTooLong, and the errors of `LanguageEngine.ask`.
        """
        room_bytes = self._combining_room_bytes()
        while True:
            try:
                return await self._combined_within(texts, room_bytes)
            except ContextTooLong:
                room_bytes //= 2
                if room_bytes < 2 * LEAST_CHARS:
                    raise

    async def _combined_within(self, texts: Sequence[str], room_bytes: int) -> tuple[Reply, list[ResultWarning]]:
        word_bytes = budget.bytes_per_word("\n".join(texts))
        now, number, warnings = combining.first_round(texts, room_bytes=room_bytes), 0, list[ResultWarning]()
        while len(now.contents) > 1:
            words = self._words_of_part(len(now.contents), room_bytes, word_bytes)
            replies = await self._round(self._between(words), f"combine-{room_bytes}-{number}", now.contents)
            for reply in replies:
                warnings += answers.cut_off(reply, what="a summary of several parts")
            # Of an answer without text, what it was asked about goes on in its place: nothing is lost unsaid.
            said = [
                reply.call.text if answers.has_text(reply.call.text) else content
                for reply, content in zip(replies, now.contents, strict=True)
            ]
            now = combining.next_round(said, room_bytes=room_bytes)
            number, warnings = number + 1, [*warnings, *now.warnings]
        reply = await self.ask(self._last(), f"combine-{room_bytes}-{number}", now.contents[0])
        return reply, [*warnings, *answers.remarks(reply, reply.call.text)]

    async def _round(self, asking: Asking, name: str, contents: Sequence[str]) -> list[Reply]:
        return await in_order(
            [partial(self.ask, asking, f"{name}-{number}", content) for number, content in enumerate(contents)]
        )

    def _last(self) -> Asking:
        return self._asking(COMBINE, self._options.max_words, is_last=True)

    def _between(self, words: int) -> Asking:
        return self._asking(COMBINE, words, is_last=False)

    def _combining_room_bytes(self) -> int:
        """The longest text that one summary is made of, whether it is the last one or one between."""
        longest = self._between(max(self._options.max_words, budget.LEAST_WORDS))
        return min(longest.room_bytes, self._last().room_bytes)

    def _words_of_part(self, parts: int, room_bytes: int, word_bytes: int) -> int:
        return budget.words_of_part(self._options.max_words, parts, room_bytes=room_bytes, word_bytes=word_bytes)

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
