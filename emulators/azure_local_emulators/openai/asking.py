"""Read a request for a chat completion as strictly as the services do.

Pure. Refuses what OpenAI refuses, in its words where they are known, and what this endpoint has not (tools, audio,
several answers, remote images), saying so.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .images import Image, read_image
from .refusals import Refusal, bad_request, unsupported
from .tokens import ANSWER_TOKENS, MESSAGE_TOKENS, image_tokens, text_tokens

Body = dict[str, Any]

_ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_KNOWN = {
    *("model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens", "temperature", "top_p"),
    *("n", "stop", "seed", "user", "response_format", "presence_penalty", "frequency_penalty", "logit_bias"),
    *("logprobs", "top_logprobs", "metadata", "store", "reasoning_effort", "service_tier", "tools", "tool_choice"),
    *("parallel_tool_calls", "functions", "function_call", "modalities", "audio", "prediction", "web_search_options"),
    *("safety_identifier", "prompt_cache_key", "verbosity"),
}
_NOT_HERE = ("tools", "functions", "audio", "prediction", "web_search_options", "logprobs")
_RANGES = {"temperature": (0, 2), "top_p": (0, 1), "presence_penalty": (-2, 2), "frequency_penalty": (-2, 2)}
_SCHEMA_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_DATA_URL = re.compile(r"data:image/(png|jpeg|jpg|gif|webp);base64,(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Question:
    """A request that a model could answer."""

    text: str
    """Every text of every message, a line feed between two."""
    last: str
    """What the last message of the user says."""
    images: tuple[Image, ...]
    prompt_tokens: int
    max_tokens: int | None
    stream: bool
    includes_usage: bool
    schema: Any = None
    wants_json: bool = False


def decoded(raw: bytes) -> Body:
    """The body. Raises Refusal (400)."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as cause:
        raise bad_request("We could not parse the JSON body of your request.") from cause
    if not isinstance(body, dict):
        raise bad_request("We could not parse the JSON body of your request: an object is expected.")
    return body


def read_question(body: Body) -> Question:
    """Raises Refusal (400)."""
    _check_parameters(body)
    texts, images, last = _read_messages(body.get("messages"))
    schema, wants_json = _read_format(body.get("response_format"), texts)
    tokens = ANSWER_TOKENS + MESSAGE_TOKENS * len(body["messages"])
    tokens += sum(text_tokens(text) for text in texts) + sum(image_tokens(image) for image in images)
    options = body.get("stream_options") or {}
    return Question(
        text="\n".join(texts),
        last=last,
        images=tuple(images),
        prompt_tokens=tokens,
        max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
        stream=bool(body.get("stream")),
        includes_usage=bool(options.get("include_usage")),
        schema=schema,
        wants_json=wants_json,
    )


def _check_parameters(body: Body) -> None:
    if unknown := sorted(set(body) - _KNOWN):
        raise bad_request(f"Unrecognized request argument supplied: {', '.join(unknown)}")
    for name in _NOT_HERE:
        if body.get(name):
            raise unsupported(f"`{name}`", param=name)
    if body.get("n") not in (None, 1):
        raise unsupported("More than one answer", param="n")
    if body.get("max_tokens") is not None and body.get("max_completion_tokens") is not None:
        text = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
        raise bad_request(text, code="invalid_parameter_combination")
    for name in ("max_tokens", "max_completion_tokens"):
        value = body.get(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            raise bad_request(f"Invalid '{name}': integer of at least 1 expected, got {value!r}.", param=name)
    for name, (least, most) in _RANGES.items():
        value = body.get(name)
        if value is not None and not (isinstance(value, int | float) and least <= value <= most):
            raise bad_request(f"Invalid '{name}': {least} to {most} expected, got {value!r}.", param=name)
    if body.get("stream_options") is not None and not body.get("stream"):
        text = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise bad_request(text, param="stream_options")


def _read_messages(messages: Any) -> tuple[list[str], list[Image], str]:
    if messages is None:
        text = "Missing required parameter: 'messages'."
        raise bad_request(text, param="messages", code="missing_required_parameter")
    if not isinstance(messages, list) or not messages:
        raise bad_request("Invalid 'messages': an array with at least one message is expected.", param="messages")
    texts: list[str] = []
    images: list[Image] = []
    last = ""
    for number, message in enumerate(messages):
        where = f"messages[{number}]"
        if not isinstance(message, dict) or message.get("role") not in _ROLES:
            raise bad_request(f"Invalid value: '{where}.role': one of {', '.join(_ROLES)} is expected.", param=where)
        parts = list(_parts(message.get("content"), where))
        said = [part for part in parts if isinstance(part, str)]
        texts += said
        images += (part for part in parts if isinstance(part, Image))
        last = "\n".join(said) if message["role"] == "user" else last
    return texts, images, last


def _parts(content: Any, where: str) -> Iterator[str | Image]:
    if isinstance(content, str):
        yield content
        return
    if not isinstance(content, list) or not content:
        text = f"Invalid type for '{where}.content': a string or an array of parts is expected."
        raise bad_request(text, param=f"{where}.content", code="invalid_type")
    for number, part in enumerate(content):
        place = f"{where}.content[{number}]"
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "text" and isinstance(part.get("text"), str):
            yield part["text"]
        elif kind == "image_url":
            yield _image(part.get("image_url"), place)
        else:
            raise unsupported(f"A part of the type {kind!r}", param=place)


def _image(given: Any, where: str) -> Image:
    url = given.get("url") if isinstance(given, dict) else None
    if not isinstance(url, str):
        raise bad_request(f"Missing required parameter: '{where}.image_url.url'.", param=where)
    if given.get("detail", "auto") not in ("auto", "low", "high"):
        raise bad_request(f"Invalid value: '{where}.image_url.detail': auto, low or high is expected.", param=where)
    if url.startswith(("http://", "https://")):
        raise unsupported("An image at an address", param=where)
    found = _DATA_URL.fullmatch(url)
    image = read_image(_base64(found[2], where)) if found else None
    if found is None or image is None or image.kind != found[1].replace("jpg", "jpeg"):
        text = "You uploaded an unsupported image. Please make sure your image has one of the following formats: "
        raise bad_request(f"{text}['png', 'jpeg', 'gif', 'webp'].", param=where, code="invalid_image_format")
    return image


def _base64(text: str, where: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as cause:
        raise bad_request("Invalid base64 image data.", param=where, code="invalid_base64") from cause


def _read_format(given: Any, texts: list[str]) -> tuple[Any, bool]:
    """The schema of the answer, and whether it has to be JSON."""
    kind = given.get("type") if isinstance(given, dict) else None
    if given is None or kind == "text":
        return None, False
    if kind == "json_object":
        if not any("json" in text.lower() for text in texts):
            text = (
                "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."
            )
            raise bad_request(text, param="messages")
        return None, True
    if kind != "json_schema":
        text = "Invalid value: 'response_format.type': text, json_object or json_schema is expected."
        raise bad_request(text, param="response_format.type")
    named = given.get("json_schema")
    if not isinstance(named, dict) or not _SCHEMA_NAME.fullmatch(str(named.get("name", ""))):
        text = "Invalid 'response_format.json_schema.name': 1 to 64 of a-z, A-Z, 0-9, - and _ are expected."
        raise bad_request(text, param="response_format.json_schema.name")
    schema = named.get("schema", {})
    if named.get("strict"):
        _check_strict(schema, named["name"], ())
    return schema, True


def _check_strict(schema: Any, name: str, path: tuple[str, ...]) -> None:
    """What `strict` asks of a schema: every object closed, and every property required."""
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object" or (not path and schema.get("type") != "object"):
        wrong = _why_not_strict(schema, at_root=not path)
        if wrong:
            raise _not_strict(name, path, wrong)
    for key in ("properties", "$defs", "definitions"):
        for child, value in schema.get(key, {}).items():
            _check_strict(value, name, (*path, key, child))
    _check_strict(schema.get("items"), name, (*path, "items"))
    for number, choice in enumerate(schema.get("anyOf", ())):
        _check_strict(choice, name, (*path, "anyOf", str(number)))


def _why_not_strict(schema: Body, *, at_root: bool) -> str:
    if at_root and schema.get("type") != "object":
        return f"schema must be a JSON Schema of 'type: \"object\"', got 'type: {schema.get('type')!r}'."
    if schema.get("additionalProperties") is not False:
        return "'additionalProperties' is required to be supplied and to be false."
    if missing := sorted(set(schema.get("properties", {})) - set(schema.get("required", ()))):
        return f"'required' is required to be supplied and to be an array including every key. Missing '{missing[0]}'."
    return ""


def _not_strict(name: str, path: tuple[str, ...], wrong: str) -> Refusal:
    text = f"Invalid schema for response_format '{name}': In context={path!r}, {wrong}"
    return bad_request(text, param="response_format")
