"""`describe` end to end: an image in, what it shows out, or what a schema asks of it."""

from __future__ import annotations

import base64
import io
import secrets

import pytest
from PIL import Image

from services.worker.texts.prompts import load
from tests.services.language.conftest import (
    IMAGE_BYTES,
    SMALL,
    VERSION,
    Workplace,
    failed,
    succeeded,
)
from tests.stack.client import Body

ANSWER = {"description": "A teal rectangle.", "tags": ["teal", " rectangle", "teal", ""]}
SCHEMA = {
    "type": "object",
    "properties": {"colour": {"type": "string"}},
    "required": ["colour"],
    "additionalProperties": False,
}


def shown(message: Body) -> Image.Image:
    """The image of a message that holds an image and nothing else."""
    (part,) = message["content"]
    kind, _, data = part["image_url"]["url"].partition(";base64,")
    assert kind in ("data:image/jpeg", "data:image/png")
    return Image.open(io.BytesIO(base64.b64decode(data, validate=True)))


def turned(width: int, height: int) -> bytes:
    """A JPEG that says where it was made, and that it is to be turned by 90 degrees to stand upright."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Maker of secret cameras"
    target = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(target, "JPEG", exif=exif)
    return target.getvalue()


def test_an_image_is_described_and_tagged(workplace: Workplace, picture: bytes) -> None:
    workplace.endpoint.script(answer=ANSWER)
    result = succeeded(workplace.hand_in("describe", picture, "image/jpeg"))
    ((system, image),) = workplace.asked()
    assert system == {"role": "system", "content": load("describe", 1).filled(language="English")}
    assert (image["role"], shown(image).size) == ("user", (600, 400))
    assert (result["text"], result["tags"], result["data"]) == ("A teal rectangle.", ["teal", "rectangle"], None)
    assert (result["width_px"], result["height_px"]) == (600, 400)
    assert (result["model"], result["prompt"]) == (VERSION, "describe/1")
    assert result["usage"]["requests"] == 1


def test_a_description_without_text_is_a_warning(workplace: Workplace, picture: bytes) -> None:
    workplace.endpoint.script(answer={"description": " ", "tags": ["teal"]})
    result = succeeded(workplace.hand_in("describe", picture, "image/jpeg"))
    assert [warning["slug"] for warning in result["warnings"]] == ["answer-empty"]
    assert result["tags"] == ["teal"]


def test_the_model_sees_the_image_upright_and_without_its_metadata(workplace: Workplace) -> None:
    result = succeeded(workplace.hand_in("describe", turned(300, 200), "image/jpeg"))
    ((_, image),) = workplace.asked()
    assert shown(image).size == (200, 300)
    assert not shown(image).getexif()
    assert (result["width_px"], result["height_px"]) == (200, 300)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF"])
def test_other_formats_are_taken_too(workplace: Workplace, kind: str) -> None:
    target = io.BytesIO()
    Image.new("RGB", (40, 30), "teal").save(target, kind)
    result = succeeded(workplace.hand_in("describe", target.getvalue(), f"image/{kind.lower()}"))
    assert (result["width_px"], result["height_px"]) == (40, 30)


def test_a_schema_asks_for_data_instead(workplace: Workplace, picture: bytes) -> None:
    workplace.endpoint.script(answer='{"colour": "teal"}')
    result = succeeded(workplace.hand_in("describe", picture, "image/jpeg", json_schema=SCHEMA, language="de"))
    ((system, _),) = workplace.asked()
    assert system["content"] == load("describe-data", 1).filled(language="the language with the code de")
    assert (result["data"], result["text"], result["tags"]) == ({"colour": "teal"}, '{"colour": "teal"}', [])
    assert result["prompt"] == "describe-data/1"


def test_the_language_is_the_clients_choice(workplace: Workplace, picture: bytes) -> None:
    succeeded(workplace.hand_in("describe", picture, "image/jpeg", language="pt-BR"))
    ((system, _),) = workplace.asked()
    assert "in the language with the code pt-BR." in system["content"]


def test_an_image_over_the_limit_is_refused_with_both_numbers(workplace: Workplace) -> None:
    target = io.BytesIO()
    Image.frombytes("RGB", (200, 200), secrets.token_bytes(200 * 200 * 3)).save(target, "PNG")
    job = workplace.hand_in("describe", target.getvalue(), "image/png")
    assert f"the limit is {IMAGE_BYTES:,}" in failed(job, "image-too-large")
    assert workplace.asked() == []


def test_what_is_no_image_inside_fails_as_unreadable(workplace: Workplace, picture: bytes) -> None:
    failed(workplace.hand_in("describe", picture[:200], "image/jpeg"), "image-unreadable")
    assert workplace.asked() == []


def test_where_no_endpoint_sees_a_job_is_accepted_and_fails_at_once_with_what_to_set(
    workplace: Workplace, picture: bytes
) -> None:
    job = workplace.hand_in("describe", picture, "image/jpeg", model=SMALL)
    detail = failed(job, "no-endpoint")
    assert "takes images (capability vision): second has chat" in detail
    assert "CLAIMCHECK_LANGUAGE__ENDPOINTS" in detail
    assert job["attempt"] == 1
    assert workplace.asked() == []
    # Nobody opened the image for nothing.
    assert not [line for line in workplace.logs().splitlines() if " image.prepared " in line and job["id"] in line]
