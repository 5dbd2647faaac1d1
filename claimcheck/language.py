"""Options and results of the tasks that ask language models, and what a model's answers cost. Pure.

A client may keep a result for years, so its shape has a version, `v`; whoever changes the shape raises it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from claimcheck.answer_schema import checked_schema
from claimcheck.job import At, Job, Stored, timestamp

MAX_CHAT_MESSAGES = 200

# What is kept for years must be exact; a millisecond and a millionth of a cent are finer than anyone measures.
Latency = Annotated[float, Field(ge=0), AfterValidator(lambda value: round(value, 3))]
Amount = Annotated[float, Field(ge=0), AfterValidator(lambda value: round(value, 8))]


def _in_its_case(tag: str) -> str:
    """As BCP 47 writes it, which takes any case: the language in lower, the script in title and the region in upper."""
    language, *parts = tag.split("-")
    return "-".join([language.lower(), *(part.title() if len(part) == 4 else part.upper() for part in parts)])


LanguageTag = Annotated[
    str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?$"), AfterValidator(_in_its_case)
]
"""A language, perhaps with its script and region, such as de, pt-BR or zh-Hant-TW: of BCP 47 what prompts can say."""

AnswerSchema = Annotated[dict[str, Any], AfterValidator(checked_schema)]
"""A JSON Schema (2020-12) that an answer has to keep to."""


class _Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$")] | None = None
    """One of the models that `GET /v1/models` lists, or an endpoint's name; without it the endpoints' order decides."""
    max_output_tokens: Annotated[int, Field(ge=1, le=32_768)] | None = None
    """Longest answer in tokens; without it the installation's default, in `summarize` more if `max_words` needs it."""


class CompleteOptions(_Options):
    """What a client may ask of `complete`."""

    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    """Without it the model's own."""
    json_schema: AnswerSchema | None = None
    """JSON Schema (2020-12) of the answer; the result then has `data`."""


class DescribeOptions(_Options):
    """What a client may ask of `describe`."""

    language: LanguageTag | None = None
    """Language of the description, such as de or pt-BR; without it English."""
    json_schema: AnswerSchema | None = None
    """JSON Schema (2020-12) of what to extract instead of a description; the result then has `data`."""


class SummarizeOptions(_Options):
    """What a client may ask of `summarize`."""

    language: LanguageTag | None = None
    """Language of the summary; without it that of the text."""
    max_words: Annotated[int, Field(ge=10, le=2000)] = 200
    """About how long the summary may be."""


class ChatMessage(BaseModel):
    """One turn of a chat."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    role: Literal["system", "user", "assistant"]
    content: Annotated[str, Field(min_length=1)]


class Chat(BaseModel):
    """A chat, as `complete` takes it: its last turn is the user's."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    messages: Annotated[tuple[ChatMessage, ...], Field(min_length=1, max_length=MAX_CHAT_MESSAGES, strict=False)]

    @field_validator("messages")
    @classmethod
    def _ends_with_the_user(cls, messages: tuple[ChatMessage, ...]) -> tuple[ChatMessage, ...]:
        if messages[-1].role != "user":
            raise ValueError(f"the last message is the {messages[-1].role}'s; the user's is expected")
        return messages


CHAT_TYPE = "application/vnd.claimcheck.chat+json"
"""Media type of a chat that is kept as an upload."""


class Call(Stored):
    """One request that a model answered."""

    text: str
    """The answer. Kept with the job, never logged."""
    endpoint: str
    model: str
    """What the endpoint says that it ran, such as gpt-4o-2024-11-20."""
    finish_reason: str
    input_tokens: int
    output_tokens: int
    latency_s: Latency
    cost: Amount | None = None
    """In the installation's currency; null without a price list."""
    demonstration: bool = False


class Asked(Stored):
    """A question to a model, and the answers that came: kept before anything is done with them. One item in Cosmos DB.

    A request that was begun and has no answer here is lost: the worker died, our time limit was over, the connection
    broke, or what came was no answer. It may have been paid for.
    """

    id: str
    v: int = 1
    kind: Literal["asked"] = "asked"
    tenant: str
    job_id: str
    job_created_at: At
    stage: str
    part: int | None = None
    name: str
    """Which question of the stage."""
    begun: int = 1
    """Requests that were begun, but for those that failed and were seen to fail."""
    calls: tuple[Call, ...] = ()
    ttl: int
    writer: str = ""
    """Random and new at each write: so a writer whose answer was lost knows its own."""
    etag: str = Field(default="", alias="_etag", exclude=True)

    @staticmethod
    def id_of(job: Job, stage: str, part: int | None, name: str) -> str:
        """The item's id. An idempotency key may make a second job of one id while items of the first are kept."""
        return f"asked:{timestamp(job.created_at)}:{stage}:{'-' if part is None else part}:{name}"

    @property
    def lost(self) -> int:
        """Requests whose answers nobody has."""
        return max(0, self.begun - len(self.calls))


class EndpointUsage(Stored):
    """What one model of one endpoint did for a job."""

    endpoint: str
    model: str
    requests: int
    input_tokens: int
    output_tokens: int
    latency_s: Latency
    """Of all its requests together."""
    cost: Amount | None = None


class Usage(Stored):
    """What models did for a job."""

    requests: int
    """Requests that were answered."""
    lost_requests: int
    """Requests whose answers are lost (see `Asked`): at most so many, in no token count and no cost."""
    input_tokens: int
    output_tokens: int
    cost: Amount | None = None
    """Null if an endpoint has no price list."""
    currency: str | None = None
    endpoints: tuple[EndpointUsage, ...] = ()


def usage_of(asked: Iterable[Asked], *, currency: str) -> Usage:
    """The usage of a job from everything that was asked for it."""
    items = list(asked)
    calls = [call for item in items for call in item.calls]
    groups: dict[tuple[str, str], list[Call]] = {}
    for call in calls:
        groups.setdefault((call.endpoint, call.model), []).append(call)
    cost = _cost(calls)
    return Usage(
        requests=len(calls),
        lost_requests=sum(item.lost for item in items),
        input_tokens=sum(call.input_tokens for call in calls),
        output_tokens=sum(call.output_tokens for call in calls),
        cost=cost,
        currency=None if cost is None else currency,
        endpoints=tuple(_endpoint_usage(*names, calls) for names, calls in sorted(groups.items())),
    )


def _endpoint_usage(endpoint: str, model: str, calls: list[Call]) -> EndpointUsage:
    return EndpointUsage(
        endpoint=endpoint,
        model=model,
        requests=len(calls),
        input_tokens=sum(call.input_tokens for call in calls),
        output_tokens=sum(call.output_tokens for call in calls),
        latency_s=sum(call.latency_s for call in calls),
        cost=_cost(calls),
    )


def _cost(calls: list[Call]) -> float | None:
    """The sum; None if there is nothing, or if one of them has no price."""
    costs = [call.cost for call in calls]
    known = [cost for cost in costs if cost is not None]
    return sum(known) if known and len(known) == len(costs) else None


class ResultWarning(Stored):
    """Something the client should know about a result that is still a result."""

    slug: str
    detail: str
    part: int | None = None


class _Result(Stored):
    """What every answer of a model carries."""

    v: Literal[1] = 1
    text: str
    """The answer; JSON as text if a schema was given."""
    model: str
    """The model that gave the answer, as its endpoint calls it."""
    demonstration: bool = False
    """The answer is a demonstration model's: good for trying the system out and for nothing else."""
    prompt: str
    """Name and version of the instructions that the model was given, such as describe/1; `client` if a chat brought its
    own."""
    usage: Usage
    warnings: tuple[ResultWarning, ...] = ()


class Completion(_Result):
    """The result of `complete`."""

    data: Any = None
    """The answer as JSON, if a schema was given."""


class Description(_Result):
    """The result of `describe`."""

    tags: tuple[str, ...] = ()
    """Words for what is in the image; none if a schema was given."""
    data: Any = None
    """The answer as JSON, if a schema was given."""
    width_px: int
    height_px: int
    """Of the image as it came, after its orientation was applied."""


class Summary(_Result):
    """The result of `summarize`."""

    chars: int
    """Length of the text that was read."""
    pages: int | None = None
    """Of a PDF."""
    windows: int
    """Pieces that the text was read in."""


def as_text(result: Any) -> str:
    """The answer alone, with a line feed at its end."""
    text = str(result["text"])
    return text if text.endswith("\n") else f"{text}\n"
