"""`ocr`: the image of a page to its lines of text. Imported by the APIs too, so it loads no model and no handler."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from claimcheck.tasks import JSON, Format, Stage, Task


class OcrOptions(BaseModel):
    """What a client may ask of `ocr`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_confidence: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Lines of which the model is less sure are left out."""


class Line(BaseModel):
    """One line of text."""

    text: str
    confidence: float
    """0 to 1."""
    box: list[tuple[float, float]]
    """Its corners in pixels of the upright image, clockwise from the top left."""


class Page(BaseModel):
    """The result. `v` is raised with every change of its shape, since clients keep results."""

    v: Literal[1] = 1
    width_px: int
    height_px: int
    lines: list[Line]
    """From top to bottom."""


def as_text(result: Mapping[str, Any]) -> str:
    """A line of the page on each line."""
    return "".join(f"{line.text}\n" for line in Page.model_validate(result).lines)


TASK = Task(
    name="ocr",
    media_types=("image/jpeg", "image/png", "image/webp", "image/gif"),
    options=OcrOptions,
    # Seconds of CPU and no endpoint: on `language` it would stand still whenever the endpoints rest.
    stages=(Stage("ocr", queue="media", handler="claimcheck_page_ocr.handler:ocr"),),
    formats={"json": JSON, "txt": Format("text/plain; charset=utf-8", as_text)},
)
