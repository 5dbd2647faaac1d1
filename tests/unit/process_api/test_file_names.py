"""services/process_api/file_names.py: what is kept of a file's name."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.process_api import described
from services.process_api.file_names import MAX_CHARS, from_form, from_header, shown_name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a.mp3", "a.mp3"),
        ("", ""),
        ("../../etc/passwd", "passwd"),
        ("/etc/passwd", "passwd"),
        ("C:\\recordings\\talk.wav", "talk.wav"),
        ("a/b\\c.wav", "c.wav"),
        ("folder/", ""),
        ("..", ""),
        (" . ", ""),
        ("a\0b.wav", "ab.wav"),
        ("a\r\nSet-Cookie: b.wav", "aSet-Cookie: b.wav"),
        ("a\t\x1b[31mb\x7f\x85.wav", "a[31mb.wav"),
        ("song\u202egpj.exe", "songgpj.exe"),
        ("\u2066a\u2069\u200e\u200f\u061cb", "ab"),
        ("a\u2028b\u2029c", "abc"),
        ("half \ud800 a character", "half  a character"),
        ("שלום 面接 🎙 👨\u200d👩.wav", "שלום 面接 🎙 👨\u200d👩.wav"),
        ("a" * 10_240, "a" * 255),
    ],
)
def test_name_is_the_last_component_without_what_deceives(name: str, shown: str) -> None:
    assert shown_name(name) == shown


@given(st.text(max_size=400))
def test_whatever_is_shown_is_short_and_printable(name: str) -> None:
    shown = shown_name(name)
    assert len(shown) <= MAX_CHARS
    assert not {"/", "\\", "\u202e", "\0"} & set(shown)
    assert all(unicodedata.category(c) not in ("Cc", "Cs") for c in shown)
    assert shown_name(shown) == shown


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("a %22quoted%22 name.wav", 'a "quoted" name.wav'),
        ("a%0D%0Ab", "ab"),
        ("100%25 %2e%2E%2F%00.wav", "100%25 %2e%2E%2F%00.wav"),
        ("Gespräch.wav", "Gespräch.wav"),
    ],
)
def test_name_in_a_form_is_read_as_browsers_write_it(sent: str, shown: str) -> None:
    assert from_form(sent.encode()) == shown


def test_name_in_a_form_that_is_no_utf_8_is_readable_where_it_can_be() -> None:
    assert from_form(b"a\xff.wav") == "a\ufffd.wav"


@pytest.mark.parametrize(
    ("header", "shown"),
    [
        ("", ""),
        ("attachment", ""),
        ('attachment; filename="a b.wav"', "a b.wav"),
        ("attachment; filename=a.wav", "a.wav"),
        ("ATTACHMENT; FILENAME = a.wav", "a.wav"),
        (r'attachment; filename="a\"b\\c.wav"', "c.wav"),
        ("attachment; filename*=UTF-8''na%C3%AFve.wav", "naïve.wav"),
        ("attachment; filename*=utf-8'en'%e2%82%ac.wav; filename=EUR.wav", "€.wav"),
        ("attachment; filename=EUR.wav; filename*=UTF-8''%e2%82%ac.wav", "€.wav"),
        ("attachment; filename*=iso-8859-1''%a3.wav", "£.wav"),
        ("attachment; filename*=utf-7''+AGE-.wav; filename=a.wav", "a.wav"),
        ("attachment; filename*=nonsense; filename=a.wav", "a.wav"),
        ("attachment; filename*=UTF-8''..%2F..%2Fetc%2Fpasswd", "passwd"),
        ("attachment; filename*=UTF-8''a%00%e2%80%ae%0d%0ab", "ab"),
        ("attachment; filename=\"a; filename*=UTF-8''b\"", "a; filename*=UTF-8''b"),
        ("attachment; filename=a; filename=b", "a"),
        ("Gespräch".join(['attachment; filename="', '"']).encode().decode("latin-1"), "Gespräch"),
        ('attachment; filename="Gespräch"', "Gespräch"),
        ('attachment; filename="open', ""),
        (";;;=;filename=;", ""),
    ],
)
def test_name_in_a_header_is_read_as_rfc_6266_has_it(header: str, shown: str) -> None:
    assert from_header(header) == shown


@given(st.text(st.characters(max_codepoint=255), max_size=200))
def test_any_header_gives_a_name_or_none(header: str) -> None:
    assert len(from_header(header)) <= MAX_CHARS


def test_example_in_the_description_is_read() -> None:
    parameters = described.submission("probe")["parameters"]
    (example,) = [named["example"] for named in parameters if named["name"] == "Content-Disposition"]
    assert from_header(example) == "talk.mp3"


@pytest.mark.parametrize("sent", ['filename="a.wav"', "filename=a.wav", "Filename*=UTF-8''a.wav; filename=b"])
def test_name_without_a_disposition_is_read_as_well(sent: str) -> None:
    assert from_header(sent) == "a.wav"
