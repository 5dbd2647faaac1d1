"""What the endpoint answers without a script: an echo that tests can predict, in the form of either service."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import openai
import pytest
from PIL import Image

from tests.contract.openai.conftest import MODEL, VERSION, Caller, client_of, done
from tests.stack.endpoints import RunEndpoint, ScriptedEndpoint

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "maxLength": 6},
        "kind": {"enum": ["letter", "invoice"]},
        "pages": {"type": "integer", "minimum": 1},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}, "minItems": 2},
        "paid": {"type": ["boolean", "null"]},
        "note": {"anyOf": [{"type": "null"}, {"type": "string"}]},
    },
    "required": ["title", "kind", "pages", "lines", "paid", "note"],
    "additionalProperties": False,
    "$defs": {
        "line": {
            "type": "object",
            "properties": {"amount": {"type": "number"}},
            "required": ["amount"],
            "additionalProperties": False,
        }
    },
}
SIDEWAYS = Image.Exif()
SIDEWAYS[274] = 6


def _format(schema: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "an_answer", "schema": schema, **more}}


def _image(form: str, size: tuple[int, int] = (640, 480), **how: Any) -> dict[str, Any]:
    file = io.BytesIO()
    Image.new("RGB", size).save(file, form, **how)
    data = base64.b64encode(file.getvalue()).decode()
    return {"type": "image_url", "image_url": {"url": f"data:image/{form};base64,{data}"}}


async def test_an_answer_says_who_was_asked_what(caller: Caller) -> None:
    answer = await caller.ask("Who\n  are you?")

    [choice] = answer.choices
    assert choice.message.content == f"{MODEL} was asked: Who are you?"
    assert (choice.finish_reason, answer.model) == ("stop", VERSION)


async def test_the_same_question_has_the_same_answer(service: Caller) -> None:
    first, second = await service.ask(), await service.ask()

    assert first.choices[0].message.content == second.choices[0].message.content
    assert first.id != second.id


async def test_a_token_is_four_bytes_and_a_message_costs_three_more(service: Caller) -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "größer"}]

    answer = await service.ask(messages=messages)

    said = answer.choices[0].message.content.encode()
    assert answer.usage.prompt_tokens == 3 + (3 + 3) + (3 + 2)
    assert answer.usage.completion_tokens == -(-len(said) // 4)
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


async def test_a_streamed_answer_is_the_same_in_pieces(caller: Caller) -> None:
    chunks = await caller.stream("x" * 100, stream_options={"include_usage": True})

    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    assert "".join(choice.delta.content or "" for choice in choices) == f"{MODEL} was asked: {'x' * 100}"
    assert choices[-1].finish_reason == "stop"
    assert chunks[-1].usage.completion_tokens == -(-len(f"{MODEL} was asked: {'x' * 100}") // 4)


async def test_a_stream_says_nothing_of_usage_unless_it_is_asked(openai_only: Caller) -> None:
    assert all(chunk.usage is None for chunk in await openai_only.stream())


async def test_an_answer_longer_than_asked_for_is_cut(service: Caller) -> None:
    answer = await service.ask("x" * 100, max_tokens=5)

    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 5


async def test_azure_says_what_its_filters_found(endpoint: ScriptedEndpoint) -> None:
    async with client_of(endpoint, "async-azure") as client:
        answer = await Caller(client).ask()

    assert answer.model_extra["prompt_filter_results"][0]["content_filter_results"]["hate"]["filtered"] is False
    assert answer.choices[0].model_extra["content_filter_results"]["hate"]["severity"] == "safe"


async def test_an_answer_fits_the_schema_it_was_asked_for(service: Caller) -> None:
    answer = await service.ask(response_format=_format(SCHEMA, strict=True))

    assert json.loads(answer.choices[0].message.content) == {
        "title": "gpt-4o",
        "kind": "letter",
        "pages": 1,
        "lines": [{"amount": 0.0}, {"amount": 0.0}],
        "paid": False,
        "note": None,
    }


async def test_json_without_a_schema_must_be_asked_for_in_words_too(service: Caller) -> None:
    asked = {"type": "json_object"}

    answer = await service.ask("Say it in JSON.", response_format=asked)
    with pytest.raises(openai.BadRequestError, match="must contain the word 'json'"):
        await service.ask("Say it.", response_format=asked)

    assert json.loads(answer.choices[0].message.content) == {"answer": f"{MODEL} was asked: Say it in JSON."}


@pytest.mark.parametrize(
    ("form", "how", "exif"),
    [
        ("png", {}, "no EXIF"),
        ("png", {"exif": SIDEWAYS}, "EXIF"),
        ("jpeg", {}, "no EXIF"),
        ("jpeg", {"exif": SIDEWAYS}, "EXIF"),
        ("jpeg", {"progressive": True}, "no EXIF"),
        ("gif", {}, "no EXIF"),
        ("webp", {}, "no EXIF"),
        ("webp", {"lossless": True}, "no EXIF"),
        ("webp", {"exif": SIDEWAYS}, "EXIF"),
    ],
)
async def test_an_answer_describes_the_image_that_came(
    openai_only: Caller, form: str, how: dict[str, Any], exif: str
) -> None:
    answer = await openai_only.ask([{"type": "text", "text": "What is it?"}, _image(form, **how)])

    asked, seen = answer.choices[0].message.content.splitlines()
    assert asked == f"{MODEL} was asked: What is it?"
    assert seen.startswith(f"image 1: {form} of 640 x 480 px, ")
    assert seen.endswith(f", {exif}")


@pytest.mark.parametrize(
    ("size", "tokens"), [((512, 512), 255), ((640, 480), 425), ((2048, 4096), 1105), ((9000, 10), 765)]
)
async def test_an_image_costs_by_its_tiles(openai_only: Caller, size: tuple[int, int], tokens: int) -> None:
    answer = await openai_only.ask([_image("png", size)])

    assert answer.usage.prompt_tokens == 3 + 3 + tokens


async def test_the_models_are_listed(endpoint: ScriptedEndpoint) -> None:
    with client_of(endpoint, "openai") as client:
        assert [model.id for model in client.models.list()] == [MODEL, "gpt-4o-mini"]
        assert client.models.retrieve(MODEL).id == MODEL
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve("gpt-9")


@pytest.mark.parametrize("kind", ["openai", "azure"])
async def test_without_keys_everybody_is_let_in(run_endpoint: RunEndpoint, kind: str) -> None:
    with run_endpoint(models=[MODEL]) as endpoint, client_of(endpoint, kind) as client:
        answer = await done(Caller(client).ask())

    assert answer.model == MODEL


async def test_azure_lets_a_token_in_as_well_as_a_key(endpoint: ScriptedEndpoint) -> None:
    client = openai.AsyncAzureOpenAI(
        azure_endpoint=endpoint.url, api_version="2024-10-21", azure_ad_token="another-key", max_retries=0
    )
    async with client:
        await Caller(client).ask()

    assert endpoint.requests()[-1]["key"] == "another-key"
