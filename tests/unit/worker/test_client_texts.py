"""Texts and chats from clients' bytes, and where the pieces of a text are."""

from __future__ import annotations

import json
from typing import Any

import pytest

from claimcheck.errors import TextUnreadable
from claimcheck.language import CHAT_TYPE
from services.worker.language.manifest import pieces
from services.worker.language.text_windows import windows
from services.worker.language.texts import chat_of, decoded, is_chat

SECRET = "the-client's-own-words"


@pytest.mark.parametrize(
    ("data", "expected"),
    [(b"Gr\xc3\xbc\xc3\x9fe", "Grüße"), (b"\xef\xbb\xbfWith a mark", "With a mark"), (b" a ", " a ")],
)
def test_a_text_is_utf_8(data: bytes, expected: str) -> None:
    assert decoded(data) == expected


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"Gr\xfc\xdfe", "not UTF-8: byte 2 of 5"),
        ("Grüße".encode("utf-16"), "not UTF-8: byte 0"),
        (b"a\0b", "character 1 is NUL"),
        (b" \n\t ", "blank: it has 4 characters"),
        (b"", "blank"),
    ],
)
def test_what_is_no_text_is_refused_with_the_place(data: bytes, why: str) -> None:
    with pytest.raises(TextUnreadable, match=why):
        decoded(data)


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
        ({"messages": [{"role": "user", "content": SECRET, "name": SECRET}]}, "messages.0.name"),
        ({"messages": [{"role": "assistant", "content": SECRET}]}, "the assistant's; the user's is expected"),
        ({"prompt": SECRET}, "messages"),
        (SECRET, "the JSON"),
    ],
)
def test_what_is_no_chat_is_refused_without_its_words(chat: Any, why: str) -> None:
    with pytest.raises(TextUnreadable, match=why) as refused:
        chat_of(json.dumps(chat).encode())
    assert SECRET not in refused.value.detail
    assert refused.value.__suppress_context__


def test_what_is_no_json_is_no_chat() -> None:
    with pytest.raises(TextUnreadable, match="the JSON: Invalid JSON"):
        chat_of(SECRET.encode())


def test_pieces_are_counted_in_characters_and_pages_from_one() -> None:
    text = ("ä" * 10 + "\f" + "b" * 10 + "\f" + "c" * 10).encode()
    found = pieces(text, windows(text, size_bytes=21), pages=3)
    assert [(piece.first_char, piece.last_char) for piece in found] == [(1, 11), (12, 32)]
    assert [piece.where for piece in found] == [
        "characters 1 to 11, on page 1",
        "characters 12 to 32, on pages 2 to 3",
    ]


def test_a_piece_that_begins_with_the_end_of_a_page_is_on_the_next() -> None:
    text = b"aaaaaaaa\f\fbbbbbbbb"
    (first, second) = pieces(text, windows(text, size_bytes=10), pages=3)
    assert (first.first_page, first.last_page) == (1, 1)
    assert (second.first_page, second.last_page) == (3, 3)


@pytest.mark.parametrize("pages", [None, 7])
def test_pages_are_not_named_where_the_text_does_not_tell_them(pages: int | None) -> None:
    text = b"aaaa\fbbbb"
    (piece,) = pieces(text, windows(text, size_bytes=100), pages=pages)
    assert piece.where == "characters 1 to 9"
