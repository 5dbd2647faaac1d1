"""Chats from clients' bytes. Pure. What it says of one never repeats it."""

from __future__ import annotations

from pydantic import ValidationError

from claimcheck.errors import TextUnreadable
from claimcheck.language import CHAT_TYPE, Chat


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
