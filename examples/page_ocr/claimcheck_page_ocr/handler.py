"""The stage of `ocr`. Claimcheck's confined child opens the client's file; the model sees what the child wrote."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

from claimcheck_page_ocr.task import Line, OcrOptions, Page
from services.worker.media.images import PreparedImage, check_image_bytes, prepare_image
from services.worker.stage import StageRun

PREPARED = 0.1  # share of the progress

# One at a time: the model uses every core by itself. A thread and not the loop, on which leases are renewed; it stays
# taken until the model returns, also when the stage is cancelled.
THREAD = ThreadPoolExecutor(1, thread_name_prefix="ocr")


async def ocr(run: StageRun) -> dict[str, Any]:
    """Read the page; the result is a Page.

    Raises the errors of `prepare_image` and of `run.fetch_upload`.
    """
    options = OcrOptions.model_validate(run.options)
    limits = run.engines.documents
    check_image_bytes(run.upload.size_bytes, limits)
    upload = run.folder / "upload"
    await run.fetch_upload(upload)
    async with run.engines.readers:
        image = await prepare_image(upload, run.folder, limits=limits)
    run.progress(PREPARED)
    lines = await asyncio.wrap_future(THREAD.submit(read_lines, image))
    sure = [line for line in lines if line.confidence >= options.min_confidence]
    return Page(width_px=image.width_px, height_px=image.height_px, lines=sure).model_dump(mode="json")


# What follows runs on the thread.


def read_lines(image: PreparedImage) -> list[Line]:
    """Every line that the model finds, its box in pixels of the image that the client sent."""
    found = model()(_data(image.path))
    if found.boxes is None:  # an empty page
        return []
    scale = (image.width_px / image.reduced_width_px, image.height_px / image.reduced_height_px)
    return [
        Line(
            text=text,
            confidence=round(float(score), 4),
            box=[(round(float(x) * scale[0], 1), round(float(y) * scale[1], 1)) for x, y in box],
        )
        for text, score, box in zip(found.txts, found.scores, found.boxes, strict=True)
    ]


@cache
def model() -> Any:
    """The model, loaded at the first page. Its files are in rapidocr's wheel: nothing is downloaded."""
    from rapidocr import RapidOCR

    return RapidOCR(params={"Global.log_level": "error"})


def _data(path: Path) -> bytes:
    return path.read_bytes()
