"""Language models: the endpoints that workers may call, and the limits of what they are asked."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from claimcheck.settings.groups import MIB, Group
from claimcheck.settings.refusing import SettingsRefused, place, read, why
from claimcheck.tasks import Capability

ENDPOINT_NAME: Final = r"^[a-z0-9][a-z0-9.-]{0,39}$"

_AROUND_KEYS: Final = "".join(map(chr, range(33))) + "\x7f\xa0\ufeff"
"""What files and secret stores put around a key: line ends, blanks, a byte order mark."""


def _clean_key(given: object) -> object:
    """The key without what is around it; None if nothing is left, and then Azure is asked as the managed identity."""
    if not isinstance(given, str | SecretStr):
        return given
    key = (given if isinstance(given, str) else given.get_secret_value()).strip(_AROUND_KEYS)
    if not (key.isascii() and key.isprintable()):
        raise ValueError("a key has to be of printable ASCII, or no request could carry it; this one is not")
    return key or None


def _key_in(variable: str) -> object:
    """The key that this variable holds, if there is one. Raises ValueError that names it: it is the one to mend."""
    try:
        return _clean_key(os.environ.get(variable))
    except ValueError as cause:
        raise ValueError(f"its key is in {variable}: {cause}") from cause


def _is_address(url: str) -> str:
    if url and not url.startswith(("http://", "https://")):
        raise ValueError("it has to begin with http:// or https://")
    return url


Key = Annotated[SecretStr | None, BeforeValidator(_clean_key)]
Address = Annotated[str, AfterValidator(_is_address)]


class Endpoint(Group):
    """One deployment of a model, behind the protocol of OpenAI."""

    name: Annotated[str, Field(pattern=ENDPOINT_NAME)]
    """What logs, metrics and results call it; no two endpoints share one."""
    kind: Literal["openai", "azure"] = "openai"
    """`openai`: any service that speaks the protocol at `url`; `azure`: Azure OpenAI."""
    url: Annotated[Address, Field(min_length=1)]
    """`openai`: the base, such as https://api.openai.com/v1; `azure`: such as https://NAME.openai.azure.com."""
    model: str = Field(min_length=1, max_length=128)
    """The model's name as clients pin it, and as the service knows it; on Azure the deployment, see `deployment`."""
    deployment: str = ""
    """Azure: name of the deployment, if it is not the model's."""
    model_version: str = ""
    """Shown by `GET /v1/models`. What the service itself says that it runs stands on each result."""
    api_version: str = "2024-10-21"
    """Azure: version of its API."""
    key: Key = None
    """The API key. Azure without one: the managed identity is used."""
    key_variable: Annotated[str, Field(pattern=r"^([A-Z][A-Z0-9_]*)?$")] = ""
    """Name of the environment variable that holds the key, so that a file of endpoints holds no secret. Where there is
    no such variable the key is missing, which concerns whoever asks models alone: see `require_keys`."""
    capabilities: frozenset[Capability] = frozenset({"chat", "json"})
    """`chat`: answers; `vision`: takes images; `json`: keeps to a JSON Schema that comes with the request."""
    priority: int = Field(default=0, ge=0, le=100)
    """Lower is asked first; a higher one only while none below it is ready."""
    weight: int = Field(default=1, ge=1, le=1000)
    """Share among ready endpoints of one priority."""
    concurrency: int = Field(default=8, ge=1, le=1000)
    """Requests of one worker under way at once. Higher than the service allows: more 429."""
    context_tokens: int = Field(default=128_000, ge=512)
    """Tokens of question and answer together."""
    input_price: float | None = Field(default=None, ge=0)
    """Price of a million input tokens in `language.currency`; without prices a result says no cost."""
    output_price: float | None = Field(default=None, ge=0)
    """Price of a million output tokens."""
    demonstration: bool = False
    """Whether its answers are only good for trying the system out; then each result says so."""

    @model_validator(mode="before")
    @classmethod
    def _finds_its_key(cls, given: Any) -> Any:
        if not isinstance(given, dict) or not given.get("key_variable") or _clean_key(given.get("key")):
            return given
        return {**given, "key": _key_in(str(given["key_variable"]))}

    @model_validator(mode="after")
    def _has_both_prices(self) -> Self:
        if (self.input_price is None) != (self.output_price is None):
            raise ValueError(f"the endpoint {self.name} has one of input_price and output_price; set both or neither")
        return self


class StandardVariables(BaseSettings):
    """The variables that everybody uses for Azure OpenAI and OpenAI; read where no endpoint is configured."""

    # An empty variable is none: files for containers set `OPENAI_MODEL=${OPENAI_MODEL}`, whether it is there or not.
    model_config = SettingsConfigDict(
        extra="ignore", frozen=True, hide_input_in_errors=True, env_ignore_empty=True, str_strip_whitespace=True
    )

    azure_openai_endpoint: Address = ""
    azure_openai_deployment: str = Field(default="", max_length=128)
    azure_openai_api_key: Key = None
    openai_api_version: str = "2024-10-21"
    openai_base_url: Address = ""
    openai_api_key: Key = None
    openai_model: str = Field(default="gpt-4o-mini", min_length=1, max_length=128)

    def endpoints(self) -> tuple[Endpoint, ...]:
        """The endpoint that they describe. Raises ValueError if an Azure endpoint has no deployment."""
        able: frozenset[Capability] = frozenset({"chat", "vision", "json"})
        if self.azure_openai_endpoint:
            if not self.azure_openai_deployment:
                raise ValueError("AZURE_OPENAI_ENDPOINT is set and AZURE_OPENAI_DEPLOYMENT is not; set both")
            return (
                Endpoint(
                    name="azure-openai",
                    kind="azure",
                    url=self.azure_openai_endpoint,
                    model=self.azure_openai_deployment,
                    api_version=self.openai_api_version,
                    key=self.azure_openai_api_key,
                    capabilities=able,
                ),
            )
        if self.openai_base_url or self.openai_api_key:
            url = self.openai_base_url or "https://api.openai.com/v1"
            return (
                Endpoint(name="openai", url=url, model=self.openai_model, key=self.openai_api_key, capabilities=able),
            )
        return ()


def read_endpoints(path: Path) -> tuple[Endpoint, ...]:
    """The endpoints in a file. Raises ValueError that names the file and the place, never what it holds."""
    try:
        listed = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as cause:
        raise ValueError(f"language.endpoints_file is {path}, which is no readable JSON") from cause
    if not isinstance(listed, list):
        raise ValueError(f"language.endpoints_file is {path}, which holds no JSON list")
    try:
        return TypeAdapter(tuple[Endpoint, ...]).validate_python(listed)
    except ValidationError as cause:
        wrong = "; ".join(f"{place(wrong['loc'])}: {why(wrong)}" for wrong in cause.errors(include_url=False))
        raise ValueError(f"language.endpoints_file is {path}, where {wrong}") from cause


class LanguageSettings(Group):
    """Language models."""

    endpoints: tuple[Endpoint, ...] = ()
    """The endpoints, as JSON. Empty: those of `endpoints_file`, else the one of `AZURE_OPENAI_ENDPOINT` (with
    `AZURE_OPENAI_DEPLOYMENT`) or of `OPENAI_BASE_URL` / `OPENAI_API_KEY` (with `OPENAI_MODEL`)."""
    endpoints_file: Path | None = None
    """A file with the same JSON list."""
    slots: int = Field(default=16, ge=1, le=256)
    """Deliveries that a worker of the queue `language` runs at once, in place of `worker.slots`: it spends its time
    waiting for answers. One to two times the endpoints' `concurrency` together is good: those beyond it read their
    input or store their answer meanwhile (`benchmarks.language` at concurrency 50, on a busy machine: 67 jobs a second
    with 50 slots, 80 with 100). Stages that ask no model take slots too. Lower: endpoints stay idle that could answer;
    higher: deliveries hold leases while they wait for room at one, and are put back after `call_s`. Each is received on
    a connection of its own, and takes 0.7 MB while it is idle."""
    currency: str = "USD"
    """Currency of all prices."""
    call_s: float = Field(default=60.0, gt=0, le=600)
    """Time limit of one request to a model. Lower: long answers fail; higher: a silent endpoint is noticed later."""
    max_output_tokens: int = Field(default=1024, ge=1, le=32_768)
    """Longest answer in tokens, where the options name none; they may ask for up to 32,768. `summarize` takes it as the
    least: it asks for three tokens for each of its `max_words` (6,000 at 2,000), up to a third of the context."""
    failures_to_open: int = Field(default=3, ge=1, le=100)
    """Failures of an endpoint in a row after which it rests. Lower: rests for a hiccup; higher: learns later."""
    rest_first_s: float = Field(default=1.0, gt=0)
    """Seconds of the first rest; then one request tries it, and each failure doubles the rest."""
    rest_max_s: float = Field(default=60.0, gt=0)
    """Longest rest that we choose. A service's own Retry-After may be longer, up to `retry_after_max_s`."""
    retry_after_max_s: float = Field(default=600.0, gt=0)
    """The longest Retry-After that is believed."""
    failed_rest_s: float = Field(default=300.0, gt=0)
    """Longest time, and at least half of it, until one request tries an endpoint that has failed. Lower: one that was
    mended at its service, such as its credit or a role, is found sooner; higher: fewer requests that are refused. A job
    that waits for it was put back until then and up to half a minute more, and no restart makes it come sooner."""
    max_prompt_bytes: int = Field(default=1 * MIB, ge=1024)
    """Largest prompt or chat of `complete` in bytes, inclusive. A prompt is held in memory."""
    window_tokens: int = Field(default=6000, ge=256)
    """Tokens of text, by estimate, in one window of `summarize`. Higher: fewer requests, each slower; more than a
    minute would outlast a part's share. An endpoint with a smaller context gets smaller windows."""
    max_text_chars: int = Field(default=4_000_000, ge=1000)
    """Longest text of `summarize` in characters, inclusive: about 2,000 pages."""
    log_content: bool = False
    """Write prompts and answers to the log. They are the clients' own words: leave it off outside development."""

    @model_validator(mode="before")
    @classmethod
    def _finds_endpoints(cls, given: Any) -> Any:
        if not isinstance(given, dict) or given.get("endpoints"):
            return given
        if given.get("endpoints_file"):
            return {**given, "endpoints": read_endpoints(Path(given["endpoints_file"]))}
        return {**given, "endpoints": read(StandardVariables).endpoints(), "endpoints_file": None}

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [endpoint.name for endpoint in self.endpoints]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two of language.endpoints are called {', '.join(twice)}; each needs a name of its own")
        return self

    def require_keys(self) -> None:
        """For whoever asks models, at its start: each key that is in a variable must be there. Raises SettingsRefused.

        Without this an endpoint of Azure would be asked as the managed identity, and another without a key.
        """
        missing = [endpoint for endpoint in self.endpoints if endpoint.key_variable and endpoint.key is None]
        if missing:
            raise SettingsRefused("\n".join(map(_without_key, missing)))


def _without_key(endpoint: Endpoint) -> str:
    name, variable = endpoint.name, endpoint.key_variable
    return f"the endpoint {name} takes its key from {variable}, and there is no such variable, or it is empty"


class DocumentSettings(Group):
    """Images and documents, and the child process that opens them."""

    max_image_bytes: int = Field(default=20 * MIB, ge=1)
    """Largest image file in bytes, inclusive."""
    max_image_pixels: int = Field(default=50_000_000, ge=1)
    """Most pixels of an image, inclusive: 50 million take 150 MB once they are unpacked."""
    image_edge_px: int = Field(default=2048, ge=64)
    """Longer edge in pixels to which an image is reduced before a model sees it; models reduce it further anyway."""
    max_document_bytes: int = Field(default=100 * MIB, ge=1)
    """Largest PDF or DOCX file in bytes, inclusive."""
    max_pages: int = Field(default=2000, ge=1)
    """Most pages of a PDF, inclusive."""
    max_unpacked_bytes: int = Field(default=200 * MIB, ge=1)
    """Most bytes of all that a DOCX holds once it is unpacked, inclusive."""
    memory_bytes: int = Field(default=1024 * MIB, ge=256 * MIB)
    """Address space of one child."""
    cpu_s: int = Field(default=60, ge=1)
    """CPU seconds of one child."""
    wall_s: float = Field(default=120.0, gt=0)
    """Seconds one child may take in all."""
    readers: int = Field(default=2, ge=1, le=64)
    """Children of one worker at once, whatever its slots are; further jobs wait for their turn. It holds for handlers
    that hold `run.engines.readers` meanwhile, as all of ours do. Together the children may take `readers` x
    `memory_bytes`, 2 GiB. Lower: a bomb holds others up for `wall_s`; higher: more memory."""
