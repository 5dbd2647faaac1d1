"""Texts and chats from clients' bytes. Pure. What it says of them never repeats them."""

from __future__ import annotations

from pydantic import ValidationError

from claimcheck.errors import TextUnreadable
from claimcheck.language import CHAT_TYPE, Chat

BYTE_ORDER_MARK = "\ufeff"


def decoded(data: bytes) -> str:
    """The text. Raises TextUnreadable if it is not UTF-8, binary, or blank."""
    try:
        text = data.decode().removeprefix(BYTE_ORDER_MARK)
    except UnicodeDecodeError as cause:
        raise TextUnreadable(f"the text is not UTF-8: byte {cause.start:,} of {len(data):,} is none of it") from cause
    if (nul := text.find("\0")) >= 0:
        raise TextUnreadable(f"the text is none: character {nul:,} is NUL, which only binary files have")
    if not text.strip():
        raise TextUnreadable(f"the text is blank: it has {len(text):,} characters and none of them can be read")
    return text


def is_chat(media_type: str) -> bool:
    """Whether an upload of that type is a chat."""
    return media_type.partition(";")[0].strip().lower() == CHAT_TYPE


def chat_of(data: bytes) -> Chat:
    """The chat. Raises TextUnreadable that says where it is none."""
    try:
        return Chat.model_validate_json(data)
    except ValidationError as cause:
        error = cause.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, error["loc"])) or "the JSON"
        # `from None`: the cause repeats what the client wrote.
        raise TextUnreadable(f"the upload is no chat: {where}: {error['msg'].removeprefix('Value error, ')}") from None
