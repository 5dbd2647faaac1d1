"""How many tokens a text or an image is, by a rule that a test can repeat. Pure.

No tokenizer: a token is four bytes of UTF-8, which is about right for English. What is added for each message is from
the OpenAI Cookbook ("How to count tokens with tiktoken"), what an image costs from the guide "Images and vision"
(gpt-4o, high detail).
"""

from __future__ import annotations

import math

from .images import Image

BYTES_PER_TOKEN = 4
MESSAGE_TOKENS = 3
ANSWER_TOKENS = 3
"""What primes the answer, counted as part of the prompt."""
IMAGE_TOKENS = 85
TILE_TOKENS = 170
_TILE_PX, _LONGEST_PX, _SHORTER_PX = 512, 2048, 768


def text_tokens(text: str) -> int:
    """Tokens of a text."""
    return math.ceil(len(text.encode("utf-8", "surrogatepass")) / BYTES_PER_TOKEN)


def cut_to_tokens(text: str, tokens: int) -> str:
    """The first so many tokens of a text, without half a character at the end."""
    return text.encode("utf-8", "surrogatepass")[: tokens * BYTES_PER_TOKEN].decode("utf-8", "ignore")


def image_tokens(image: Image) -> int:
    """Tokens of an image: so many for it, and so many for each tile once it is reduced."""
    longer, shorter = sorted((image.width_px, image.height_px), reverse=True)
    scale = min(1.0, _LONGEST_PX / max(longer, 1))
    scale = min(scale, _SHORTER_PX / max(shorter, 1))
    tiles = math.ceil(longer * scale / _TILE_PX) * math.ceil(shorter * scale / _TILE_PX)
    return IMAGE_TOKENS + TILE_TOKENS * max(tiles, 1)
