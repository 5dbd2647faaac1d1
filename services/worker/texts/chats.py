"""Chats from clients' bytes. Pure. What it says of one never repeats it: it is logged, and kept with the job."""

from __future__ import annotations

from pydantic import ValidationError

from claimcheck.breaches import first_of
from claimcheck.errors import TextUnreadable
from claimcheck.language import CHAT_TYPE, Chat, ChatMessage

FIELDS = frozenset({*Chat.model_fields, *ChatMessage.model_fields})


def is_chat(media_type: str) -> bool:
    """Whether an upload of that type is a chat."""
    return media_type.partition(";")[0].strip().lower() == CHAT_TYPE


def chat_of(data: bytes) -> Chat:
    """The chat. Raises TextUnreadable that says where it is none."""
    try:
        return Chat.model_validate_json(data)
    except ValidationError as cause:
        # `from None`: the cause repeats what the client wrote.
        raise TextUnreadable(f"the upload is no chat: {first_of(cause, whole='the JSON', known=FIELDS)}") from None
