"""services/worker/engines/language/question.py: what a log shows of messages."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from services.worker.engines.language.question import shown


def image(url: Any) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url, "detail": "low"}}]}


@pytest.mark.parametrize("size_bytes", [0, 1, 2, 3, 1_234_567])
def test_image_is_shown_as_its_type_and_size(size_bytes: int) -> None:
    data = base64.b64encode(bytes(size_bytes)).decode()
    assert shown([image(f"data:image/jpeg;base64,{data}")]) == [image(f"image/jpeg, {size_bytes:,} bytes")]


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": "data:image/jpeg;base64,AAAA"},
        {"role": "user", "content": [{"type": "text", "text": "What is it?"}]},
        image("https://example.com/image.png"),
        {"role": "user", "content": ["odd", {"image_url": None}]},
        {"role": "assistant", "content": None},
    ],
)
def test_everything_else_is_shown_as_it_is(message: dict[str, Any]) -> None:
    assert shown([message]) == [message]
