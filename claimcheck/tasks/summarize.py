"""`summarize`: a text, a PDF, a DOCX or an earlier job's text to a summary.

    read ──▶ language, once a window ──▶ combine

A text of one window is summarized by `read` itself.
"""

from __future__ import annotations

from claimcheck.language import SummarizeOptions, as_text
from claimcheck.tasks import JSON, Format, Stage, Task

HANDLERS = "services.worker.handlers.summarize"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"

TASK = Task(
    name="summarize",
    media_types=("text/*", "application/pdf", DOCX),
    options=SummarizeOptions,
    stages=(
        Stage("read", queue="language", handler=f"{HANDLERS}:read"),
        # Four at once keep a book from standing in front of short texts, and finish it in a quarter of the time.
        Stage("language", queue="language", handler=f"{HANDLERS}:language", window=4),
        Stage("combine", queue="language", handler=f"{HANDLERS}:combine"),
    ),
    formats={"json": JSON, "txt": Format("text/plain; charset=utf-8", as_text)},
    inputs=("file", "text", "job_id"),
    needs=frozenset({"chat"}),
)
