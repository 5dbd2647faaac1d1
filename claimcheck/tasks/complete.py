"""`complete`: a prompt or a chat to a language model's answer, as text or as JSON of the caller's schema."""

from __future__ import annotations

from claimcheck.language import CHAT_TYPE, CompleteOptions, as_text
from claimcheck.tasks import JSON, Format, Stage, Task

TASK = Task(
    name="complete",
    media_types=("text/*", CHAT_TYPE),
    options=CompleteOptions,
    stages=(Stage("language", queue="language", handler="services.worker.handlers.complete:language"),),
    formats={"json": JSON, "txt": Format("text/plain; charset=utf-8", as_text)},
    inputs=("file", "text", "messages"),
    needs=frozenset({"chat"}),
)
