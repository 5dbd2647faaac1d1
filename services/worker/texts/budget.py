"""How much text and how much answer a question may have, so that both fit a model's context. Pure.

Tokens are estimated from bytes of UTF-8: each model counts its own way, and nobody has the vocabularies of them all.
"""

from __future__ import annotations

from typing import Final

from claimcheck.errors import ContextTooLong
from services.worker.texts.fencing import FENCE_TOKENS

# Bytes of UTF-8 a token, with the 51,865 words of Whisper's multilingual vocabulary: English 3.0, German 3.5, Spanish
# 3.8, Russian 6.2, Arabic 3.2, Japanese 3.0, Chinese 2.0, Hindi 2.2, Python 2.3. Vocabularies of today have two to four
# times as many words and need fewer tokens. What is too long all the same, a model refuses, and it is halved.
BYTES_PER_TOKEN: Final = 3

TOKENS_PER_WORD: Final = 3  # English has 1.3, German 2, Finnish 3; a summary that is cut off is worth little
SHARE_OF_ANSWER: Final = 3  # at most a third of the context is kept free for the answer
LEAST_TOKENS: Final = 128  # A window of less than a paragraph is no text that could be summarized.
LEAST_WORDS: Final = 100  # of the summary of one part, whatever the length of the whole

# Bytes of a word and the blank behind it: English 6, German 7, Finnish 9, Russian 13, Hindi 13. What is further off is
# tables, addresses, noise. Chinese, Japanese and Thai have no blanks: about two characters are a word.
LEAST_BYTES_PER_WORD: Final = 4
MOST_BYTES_PER_WORD: Final = 20
LONGEST_WORD_CHARS: Final = 15  # on average, of what has blanks between words
CHARS_PER_UNSPACED_WORD: Final = 2
FILLED_PERCENT: Final = 90  # Models count badly: the rest is for what they say too much.


def estimated_tokens(size_bytes: int) -> int:
    """About how many tokens so many bytes of text are."""
    return -(-size_bytes // BYTES_PER_TOKEN)


def answer_tokens(words: int, *, at_least: int, context_tokens: int) -> int:
    """The longest answer to ask for, so that it holds so many words. `at_least`: for models that think first."""
    return min(max(at_least, words * TOKENS_PER_WORD), context_tokens // SHARE_OF_ANSWER)


def window_bytes(instructions: str, *, context_tokens: int, window_tokens: int, output_tokens: int) -> int:
    """The longest text to send with these instructions. Raises ContextTooLong if no text is left room for."""
    taken = estimated_tokens(len(instructions.encode())) + FENCE_TOKENS + output_tokens
    left = context_tokens - taken
    if left < LEAST_TOKENS:
        raise ContextTooLong(
            f"the smallest context of the endpoints has {context_tokens:,} tokens, of which instructions and answer "
            f"take {taken:,}; at least {LEAST_TOKENS:,} must be left for the text"
        )
    return min(window_tokens, left) * BYTES_PER_TOKEN


def bytes_per_word(text: str) -> int:
    """How long a word of such a text is in bytes of UTF-8, with the blank behind it."""
    words = len(text.split())
    if len(text) > LONGEST_WORD_CHARS * words:
        words = len(text) // CHARS_PER_UNSPACED_WORD
    size_bytes = -(-len(text.encode()) // max(1, words))
    return min(max(size_bytes, LEAST_BYTES_PER_WORD), MOST_BYTES_PER_WORD)


def words_of_part(max_words: int, parts: int, *, room_bytes: int, word_bytes: int) -> int:
    """How long the summary of one of so many parts should be: all together about twice the whole, as far as possible.

    Twice, since what two parts both say is said once in the end. No more than fits one question of so much room with
    all the others, or, if that left too little of each, with one other.
    """
    room_words = room_bytes * FILLED_PERCENT // 100 // word_bytes
    share = min(max_words, 2 * max_words // parts, room_words // parts)
    return max(1, min(max(LEAST_WORDS, share), room_words // 2))
