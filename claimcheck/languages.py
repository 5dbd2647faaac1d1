"""The languages that Whisper knows, by its own codes. Pure data: whether one model knows one is the engine's to say."""

from __future__ import annotations

# ISO 639-1, but for haw and yue, which have no two letters, and jw, Whisper's code for Javanese.
# Source: openai/whisper, tokenizer.py, LANGUAGES. English-only models (`*.en`) know en alone; yue came with large-v3.
_CODES = """
    af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw he hi hr ht hu hy id is
    it ja jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my ne nl nn no oc pa pl ps pt ro ru sa sd si sk
    sl sn so sq sr su sv sw ta te tg th tk tl tr tt uk ur uz vi yi yo yue zh
"""

WHISPER_LANGUAGES = frozenset(_CODES.split())
