"""What an installation offers, as `GET /v1/models` shows it: models and tasks. Pure.

The list of models is also OpenAI's, so that programs made for it can read it.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from claimcheck.representation import VERSION


class ModelView(BaseModel):
    """A model that options can name. Not whether it is well: only workers know that."""

    model_config = ConfigDict(extra="forbid")

    id: str
    """What `options.model` calls it."""
    object: Literal["model"] = "model"
    created: int = 0
    """Unknown; OpenAI's clients expect one."""
    owned_by: Literal["claimcheck"] = "claimcheck"
    tasks: list[str]
    """Those whose options can name it."""
    version: str | None = None
    """As the installation was told; what ran stands on each result."""
    capabilities: list[str]
    """What it can do: `chat`, `vision`, `json`, `speech`."""
    demonstration: bool = False
    """Its answers are good for trying the system out and for nothing else."""


class TaskView(BaseModel):
    """A task that is installed."""

    model_config = ConfigDict(extra="forbid")

    name: str
    inputs: list[str]
    """What it works on: `file`, or in a JSON body `text`, `messages`, `job_id`."""
    media_types: list[str]
    """Patterns of the files that it takes, such as `audio/*`."""
    formats: dict[str, str]
    """Formats of its result, and their media types."""
    options: dict[str, Any]
    """JSON Schema of its options."""
    models: list[str] | None = None
    """Those that its options can name; absent if it takes none. Empty: none is configured, and its jobs fail."""


class ModelListView(BaseModel):
    """The models in the order in which they are asked, and the tasks by name."""

    model_config = ConfigDict(extra="forbid")

    v: Literal[1] = VERSION
    object: Literal["list"] = "list"
    data: list[ModelView]
    tasks: list[TaskView]
