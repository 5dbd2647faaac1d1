"""The stage of the task `complete`: a prompt or a chat, as the client wrote it, to a model's answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from claimcheck.errors import TextTooLong
from claimcheck.language import CompleteOptions, Completion
from services.worker.engines.language import Question
from services.worker.engines.language.question import Message
from services.worker.media.plain_text import text_of
from services.worker.stage import StageRun
from services.worker.texts import answers, chats, prompts

PROMPT = prompts.load("complete", 1)


async def language(run: StageRun) -> dict[str, Any]:
    """Ask what the client asks; the result is a Completion.

    The prompt is the client's own, so nothing of it is fenced, and a system message of the client's stands in the
    place of ours. Raises TextTooLong, TextUnreadable and the errors of `LanguageEngine.ask` and `run.read_upload`.
    """
    options = CompleteOptions.model_validate(run.options)
    engine = run.engines.language
    _check_size(run.upload.size_bytes, engine.settings.max_prompt_bytes)
    prompt, messages = _asked(await run.read_upload(), run.upload.media_type)
    reply = await engine.ask(
        Question(
            name="prompt",
            messages=messages,
            model=options.model,
            max_output_tokens=options.max_output_tokens,
            temperature=options.temperature,
            json_schema=options.json_schema,
        ),
        run.ledger,
    )
    return Completion(
        **answers.said(reply, currency=engine.settings.currency),
        data=reply.data,
        prompt=prompt,
        warnings=tuple(answers.remarks(reply, answers.text_of(reply))),
    ).model_dump(mode="json")


def _check_size(size_bytes: int, limit: int) -> None:
    """Before it is read: a prompt is held in memory. Raises TextTooLong."""
    if size_bytes > limit:
        raise TextTooLong(f"the prompt has {size_bytes:,} bytes; the limit is {limit:,}")


def _asked(upload: bytes, media_type: str) -> tuple[str, Sequence[Message]]:
    """The name of the instructions and the messages. Raises TextUnreadable."""
    ours: Message = {"role": "system", "content": PROMPT.filled()}
    if not chats.is_chat(media_type):
        return PROMPT.label, [ours, {"role": "user", "content": text_of(upload)}]
    chat = [message.model_dump() for message in chats.chat_of(upload).messages]
    if any(message["role"] == "system" for message in chat):
        return prompts.BY_THE_CLIENT, chat
    return PROMPT.label, [ours, *chat]
