"""`describe`: an image to a description and tags, or to JSON of the caller's schema."""

from __future__ import annotations

from claimcheck.language import DescribeOptions, as_text
from claimcheck.tasks import JSON, Format, Stage, Task

TASK = Task(
    name="describe",
    media_types=("image/jpeg", "image/png", "image/webp", "image/gif"),
    options=DescribeOptions,
    stages=(Stage("language", queue="language", handler="services.worker.handlers.describe:language"),),
    formats={"json": JSON, "txt": Format("text/plain; charset=utf-8", as_text)},
    needs=frozenset({"vision"}),
)
