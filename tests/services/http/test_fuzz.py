"""Any body, however broken, is taken or refused: never an internal error, and never slowly."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.services.http.test_submit import FILE, FORM, field, form
from tests.stack.client import Client

WHOLE = form(field("task", "probe"), field("options", '{"do": "read"}'), FILE)
JSON = b'{"task": "probe", "input": {"text": "hello"}, "options": {"do": "read"}}'
SOON = timedelta(seconds=15)
# The client is the package's: its connection and the system behind it are meant to be shared by the examples.
QUICKLY = settings(deadline=SOON, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def is_answered(client: Client, content_type: str, body: bytes) -> None:
    """Whatever is wrong is the request's fault, or nothing is."""
    answer = client.process.post("/v1/jobs", content=body, headers={"Content-Type": content_type})
    assert answer.status_code in (202, 400, 413, 415), (answer.text, body)


@QUICKLY
@given(start=st.integers(0, len(WHOLE)), length=st.integers(0, 40), instead=st.binary(max_size=20))
def test_spoilt_form_is_taken_or_refused(client: Client, start: int, length: int, instead: bytes) -> None:
    is_answered(client, FORM, WHOLE[:start] + instead + WHOLE[start + length :])


@QUICKLY
@given(start=st.integers(0, len(JSON)), length=st.integers(0, 10), instead=st.binary(max_size=10))
def test_spoilt_json_is_taken_or_refused(client: Client, start: int, length: int, instead: bytes) -> None:
    is_answered(client, "application/json", JSON[:start] + instead + JSON[start + length :])


@QUICKLY
@given(options=st.recursive(st.none() | st.booleans() | st.text(), st.lists, max_leaves=5) | st.text('{}[]":,0eE-.'))
def test_any_options_are_taken_or_refused(client: Client, options: object) -> None:
    body = form(field("task", "probe"), field("options", str(options).encode(errors="replace").decode()), FILE)
    is_answered(client, FORM, body)


@pytest.mark.parametrize("content_type", ["", "audio/mpeg", "text/html; charset=x", "multipart/form-data", "a/b;", "/"])
@QUICKLY
@given(body=st.binary(max_size=200))
def test_any_bytes_of_any_type_are_taken_or_refused(client: Client, content_type: str, body: bytes) -> None:
    is_answered(client, content_type, body)
