"""Chats from clients' bytes: what is one, and that a refusal says where and never what."""

from __future__ import annotations

import json
from typing import Any

import pytest

from claimcheck.errors import TextUnreadable
from claimcheck.language import CHAT_TYPE
from services.worker.texts.chats import chat_of, is_chat

SECRET = "the-client's-own-words"


@pytest.mark.parametrize(
    ("media_type", "expected"),
    [(CHAT_TYPE, True), (f"{CHAT_TYPE.upper()}; charset=utf-8", True), ("text/plain", False), ("", False)],
)
def test_a_chat_is_known_by_its_type(media_type: str, expected: bool) -> None:
    assert is_chat(media_type) is expected


def test_a_chat_is_its_messages_in_order() -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
    chat = chat_of(json.dumps({"messages": messages}).encode())
    assert [message.model_dump() for message in chat.messages] == messages


@pytest.mark.parametrize(
    ("chat", "why"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "tool", "content": SECRET}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": ""}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": [SECRET]}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": SECRET, "name": SECRET}]}, r"messages.0.\*: Extra inputs"),
        ({"messages": [{"role": "user", "content": "Hello", SECRET: 1}]}, r"messages.0.\*: Extra inputs"),
        ({"messages": [{"role": "user", "content": "Hello"}], SECRET * 10_000: 1}, r"no chat: \*: Extra inputs"),
        ({"messages": [{"role": "assistant", "content": SECRET}]}, "the assistant's; the user's is expected"),
        ({"prompt": SECRET}, "messages"),
        (SECRET, "the JSON"),
    ],
)
def test_what_is_no_chat_is_refused_without_its_words(chat: Any, why: str) -> None:
    with pytest.raises(TextUnreadable, match=why) as refused:
        chat_of(json.dumps(chat).encode())
    assert SECRET not in refused.value.detail
    assert len(refused.value.detail) < 200
    assert refused.value.__suppress_context__


def test_what_is_no_json_is_no_chat() -> None:
    with pytest.raises(TextUnreadable, match="the JSON: Invalid JSON"):
        chat_of(SECRET.encode())
