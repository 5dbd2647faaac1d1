"""Images to hand in, made here."""

from __future__ import annotations

import base64
from pathlib import Path

from PIL import Image, ImageDraw


def image(path: Path, width_px: int = 640, height_px: int = 400) -> Path:
    """A hill below a sky, in the format of the path's suffix."""
    made = Image.new("RGB", (width_px, height_px), "#7fa7c9")
    draw = ImageDraw.Draw(made)
    draw.rectangle((0, height_px * 2 // 3, width_px, height_px), fill="#6b8f4e")
    draw.polygon(
        [(width_px // 8, height_px * 2 // 3), (width_px // 3, height_px // 5), (width_px // 2, height_px * 2 // 3)],
        "#8c8577",
    )
    made.save(path)
    return path


def base64_of(path: Path) -> str:
    """The file for a script in the page."""
    return base64.b64encode(path.read_bytes()).decode()
