"""The formats that outlive a release, as JSON Schemas; `claimcheck schema` prints `docs/schema.md` from them. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass

from pydantic import BaseModel

from claimcheck import dead_letters, job, language, listing, messages, model_views, operator_views, representation
from claimcheck.transcript import TranscribeOptions, Transcript


@dataclass(frozen=True)
class Schema:
    """One format."""

    title: str
    version: int
    where: str
    model: type[BaseModel]

    def text(self) -> str:
        """The JSON Schema, as it is printed."""
        return json.dumps(self.model.model_json_schema(mode="serialization"), indent=2, ensure_ascii=False)


_OPTIONS = "both APIs, `options`"
_RESULT = "both APIs, `result`; the result item or its blob"

SCHEMAS = (
    Schema("Job item", job.SCHEMA_VERSION, "Cosmos DB, container `jobs`, id `job`", job.Job),
    Schema("Result item", job.SCHEMA_VERSION, "Cosmos DB, container `jobs`, id `result:{random}`", job.ResultItem),
    Schema(
        "Part item",
        job.SCHEMA_VERSION,
        "Cosmos DB, container `jobs`, id `part:{created_at}:{stage}:{number}`",
        job.PartItem,
    ),
    Schema(
        "Question to a model",
        job.SCHEMA_VERSION,
        "Cosmos DB, container `jobs`, id `asked:{created_at}:{stage}:{part}:{name}`",
        language.Asked,
    ),
    Schema("Chat", 1, f"Blob Storage, an upload of the type `{language.CHAT_TYPE}`", language.Chat),
    Schema(
        "Dead letter",
        job.SCHEMA_VERSION,
        "Cosmos DB, container `jobs`, id `dead-letter:{queue}:{sequence_number}:{enqueued_at}`",
        dead_letters.DeadLetter,
    ),
    Schema("Message", messages.VERSION, "Service Bus, body of every message", messages.Message),
    Schema("Job over HTTP", representation.VERSION, "both APIs, a job in an answer", representation.JobView),
    Schema("Jobs over HTTP", representation.VERSION, "status API, `GET /v1/jobs`", listing.JobListView),
    Schema(
        "Dead letters over HTTP",
        representation.VERSION,
        "process API, `GET /v1/operator/dead-letters`",
        operator_views.LetterListView,
    ),
    Schema(
        "A dead letter over HTTP",
        representation.VERSION,
        "process API, `GET /v1/operator/dead-letters/{id}`",
        operator_views.LetterDetailView,
    ),
    Schema(
        "What became of dead letters",
        representation.VERSION,
        "process API, `POST /v1/operator/dead-letters/replay` and `/discard`",
        operator_views.OutcomesView,
    ),
    Schema(
        "Stuck jobs over HTTP",
        representation.VERSION,
        "process API, `GET /v1/operator/jobs/stuck`",
        operator_views.StuckJobsView,
    ),
    Schema("Models and tasks", representation.VERSION, "status API, `GET /v1/models`", model_views.ModelListView),
    Schema("Options of `complete`", 1, _OPTIONS, language.CompleteOptions),
    Schema("Result of `complete`", 1, _RESULT, language.Completion),
    Schema("Options of `describe`", 1, _OPTIONS, language.DescribeOptions),
    Schema("Result of `describe`", 1, _RESULT, language.Description),
    Schema("Options of `summarize`", 1, _OPTIONS, language.SummarizeOptions),
    Schema("Result of `summarize`", 1, _RESULT, language.Summary),
    Schema("Options of `transcribe`", 1, _OPTIONS, TranscribeOptions),
    Schema("Result of `transcribe`", 1, _RESULT, Transcript),
)

_INTRODUCTION = """# Formats

What is stored, queued and answered, as JSON Schemas. Made from the code by `claimcheck schema > docs/schema.md`; a test
holds this page to the code, and another holds what the running system really writes to these schemas.

Each format has a version. A reader takes its own version and the one before; a field that it does not know it leaves
alone. A message of a higher version than a worker knows is put back for a newer worker (a rolling deploy), and `tenant`
and `job_id` keep their place in every version. A message may carry the application property `traceparent` (W3C Trace
Context). Cosmos DB adds its own `_rid`, `_self`, `_etag`, `_ts` and `_attachments` to each item; an item with
`kind: tombstone` is an erased job and holds nothing else than its ids. Times are UTC with milliseconds and end in `Z`.
"""


def page() -> str:
    """`docs/schema.md`."""
    sections = (
        f"\n## {schema.title}, version {schema.version}\n\nWhere: {schema.where}.\n\n```json\n{schema.text()}\n```\n"
        for schema in SCHEMAS
    )
    return _INTRODUCTION + "".join(sections)
