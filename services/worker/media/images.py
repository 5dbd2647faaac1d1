"""Make a client's image ready for a model, in a confined child. The worker itself never opens the file."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from claimcheck.errors import DocumentReaderCrashed, ImageTooLarge, ImageUnreadable, JobFailure
from claimcheck.settings import DocumentSettings
from services.worker.media.confined import Confinement, Refusal

log = logging.getLogger(__name__)

CHILD = Path(__file__).with_name("image_child.py")
FILE_SLACK_BYTES = 1024 * 1024

Pixels = Annotated[int, Field(ge=1)]


class _Report(BaseModel):
    model_config = ConfigDict(extra="forbid")

    media_type: Literal["image/jpeg", "image/png"]
    width_px: Pixels
    height_px: Pixels
    reduced_width_px: Pixels
    reduced_height_px: Pixels


@dataclass(frozen=True, kw_only=True)
class PreparedImage:
    """An image as models take it: upright, opaque, without metadata, its longer edge at most `image_edge_px`."""

    path: Path
    media_type: str
    """`image/jpeg` or `image/png`."""
    width_px: int
    """Of the client's image, upright."""
    height_px: int
    reduced_width_px: int
    """Of the file at `path`."""
    reduced_height_px: int


def check_image_bytes(size_bytes: int, limits: DocumentSettings) -> None:
    """Before anything is fetched. Raises ImageTooLarge."""
    if size_bytes > limits.max_image_bytes:
        raise ImageTooLarge(f"the image is {size_bytes:,} bytes; the limit is {limits.max_image_bytes:,}")


async def prepare_image(source: Path, folder: Path, *, limits: DocumentSettings) -> PreparedImage:
    """Write `source` into `folder` as models take it; of an animation its first frame.

    The child is dead when this returns, however it returns.
    Raises ImageUnreadable, ImageTooLarge, DocumentReaderCrashed, ScratchFull.
    """
    _check_file(source, limits)
    target, edge_px = folder / "prepared-image", limits.image_edge_px
    child = Confinement(
        script=CHILD,
        reader="the image reader",
        crashed=DocumentReaderCrashed,
        memory_bytes=limits.memory_bytes,
        cpu_s=limits.cpu_s,
        wall_s=limits.wall_s,
        file_bytes=4 * edge_px**2 + FILE_SLACK_BYTES,  # more than the pixels themselves
    )
    try:
        report = await child.run(source, target, edge_px, limits.max_image_pixels, folder=folder, into=_Report)
    except Refusal as refusal:
        raise _refused(refusal, limits) from refusal
    log.info("image.prepared", extra=report.model_dump())
    return PreparedImage(path=target, **report.model_dump())


def _check_file(source: Path, limits: DocumentSettings) -> None:
    check_image_bytes(source.stat().st_size, limits)  # one call to the kernel: no reason to leave the loop


def _refused(refusal: Refusal, limits: DocumentSettings) -> JobFailure:
    """The error that the child's word stands for."""
    match refusal.word:
        case "unreadable":
            return ImageUnreadable("the file is no image that can be read; JPEG, PNG, WebP and GIF can be")
        case "too-many-pixels":
            width, height = (int(refusal.numbers.get(name, 0)) for name in ("width_px", "height_px"))
            return ImageTooLarge(
                f"the image has {width * height:,} pixels ({width:,} x {height:,}); the limit is"
                f" {limits.max_image_pixels:,}"
            )
        case _:
            return DocumentReaderCrashed("the image reader reported what it may not")
