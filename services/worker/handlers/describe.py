"""The stage of the task `describe`: an image to a description and tags, or to JSON of the caller's schema."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from typing import Any

from claimcheck.language import DescribeOptions, Description
from claimcheck.settings import Capability
from services.worker.engines.language import Question, Reply
from services.worker.engines.language.question import Message
from services.worker.media.images import PreparedImage, check_image_bytes, prepare_image
from services.worker.stage import StageRun
from services.worker.texts import answers, prompts

DESCRIPTION = prompts.load("describe", 1)
DATA = prompts.load("describe-data", 1)
QUESTION = "image"
NEEDS: frozenset[Capability] = frozenset({"chat", "vision"})
MAX_TAGS = 20
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"description": {"type": "string"}, "tags": {"type": "array", "items": {"type": "string"}}},
    "required": ["description", "tags"],
    "additionalProperties": False,
}


async def language(run: StageRun) -> dict[str, Any]:
    """Show the image to a model that sees; the result is a Description.

    Raises NoEndpoint and ImageTooLarge before anything is fetched, the errors of `prepare_image`, `run.fetch_upload`
    and `LanguageEngine.ask`.
    """
    options = DescribeOptions.model_validate(run.options)
    engine = run.engines.language
    check_image_bytes(run.upload.size_bytes, run.engines.documents)
    await engine.check_ready(QUESTION, run.ledger, needs=NEEDS, model=options.model)
    image = await _prepared(run)
    reply = await engine.ask(_question(options, await _message(image)), run.ledger)
    return _description(reply, options, image, currency=engine.settings.currency).model_dump(mode="json")


async def _prepared(run: StageRun) -> PreparedImage:
    upload = run.folder / "upload"
    await run.fetch_upload(upload)
    async with run.engines.readers:
        image = await prepare_image(upload, run.folder, limits=run.engines.documents)
    upload.unlink()  # scratch is shared
    return image


async def _message(image: PreparedImage) -> Message:
    """The image, and not a word beside it: whatever it says is part of the picture."""
    data = await asyncio.to_thread(image.path.read_bytes)
    url = f"data:{image.media_type};base64,{base64.b64encode(data).decode()}"
    return {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}


def _prompt(options: DescribeOptions) -> prompts.Prompt:
    return DATA if options.json_schema else DESCRIPTION


def _question(options: DescribeOptions, image: Message) -> Question:
    language = prompts.language_called(options.language, otherwise="English")
    return Question(
        name=QUESTION,
        messages=[{"role": "system", "content": _prompt(options).filled(language=language)}, image],
        needs=NEEDS,
        model=options.model,
        max_output_tokens=options.max_output_tokens,
        json_schema=options.json_schema or SCHEMA,
    )


def _description(reply: Reply, options: DescribeOptions, image: PreparedImage, *, currency: str) -> Description:
    text = answers.text_of(reply) if options.json_schema else reply.data["description"]
    said = {
        **answers.said(reply, currency=currency),
        "text": text,
        "prompt": _prompt(options).label,
        "width_px": image.width_px,
        "height_px": image.height_px,
        "warnings": tuple(answers.remarks(reply, text)),
    }
    if options.json_schema:
        return Description(**said, data=reply.data)
    tags = dict.fromkeys(tag.strip() for tag in reply.data["tags"] if tag.strip())
    return Description(**said, tags=tuple(tags)[:MAX_TAGS])
