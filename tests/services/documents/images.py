"""Images made for tests, honest and otherwise."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)


def left_red(width: int = 80, height: int = 40, *, mode: str = "RGB") -> Image.Image:
    """Blue, its left half red."""
    image = Image.new(mode, (width, height), "blue")
    ImageDraw.Draw(image).rectangle((0, 0, width // 2 - 1, height), fill="red")
    return image


def photograph(width: int, height: int) -> Image.Image:
    """Noise in colour: more colours than any drawing has."""
    bands = [Image.effect_noise((width, height), 90) for _ in range(3)]
    return Image.merge("RGB", bands)


def save(image: Image.Image, path: Path, form: str, **how: Any) -> Path:
    """Save it, and say where."""
    image.save(path, form, **how)
    return path


def png(
    path: Path, width: int, height: int, body: bytes, *, colours: int = 0, depth: int = 8, clear: bytes = b""
) -> Path:
    """A PNG whose header says what one likes; `colours` is PNG's colour type, `clear` the one that is transparent."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))

    header = struct.pack(">LLBBBBB", width, height, depth, colours, 0, 0, 0)
    chunks = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(body)), chunk(b"IEND", b"")]
    if clear:
        chunks.insert(1, chunk(b"tRNS", clear))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    return path


def half_clear(path: Path, depth: int, channels: int, clear: int, other: int) -> Path:
    """A PNG of grey (1 channel) or colour (3) with as many bits each: its left half transparent by its value alone."""
    values = [clear] * 8 * channels + [other] * 8 * channels
    row = int("".join(format(value, f"0{depth}b") for value in values), 2).to_bytes(2 * depth * channels)
    kind = {1: 0, 3: 2}[channels]
    return png(path, 16, 8, (b"\0" + row) * 8, colours=kind, depth=depth, clear=clear.to_bytes(2) * channels)


def hundred_megapixels(path: Path) -> Path:
    """A whole PNG of 10,000 x 10,000 pixels in 100 kB."""
    return png(path, 10_000, 10_000, bytes(10_001 * 10_000))


def gif(path: Path, screen: tuple[int, int], frame: tuple[int, int]) -> Path:
    """A GIF whose one frame is of another size than its screen, and has almost no data."""
    head = b"GIF89a" + struct.pack("<HHBBB", *screen, 0x80, 0, 0) + bytes(6)
    picture = b"," + struct.pack("<HHHHB", 0, 0, *frame, 0) + b"\x02\x02\x4c\x01\x00"
    path.write_bytes(head + picture + b";")
    return path


def animated(path: Path, frames: int) -> Path:
    """A GIF of that many large frames, the first of them red."""
    first, *rest = [Image.new("P", (1000, 1000), number % 256) for number in range(frames)]
    first.putpalette([255, 0, 0] + [0, 0, 255] * 255)
    return save(first, path, "GIF", save_all=True, append_images=rest)


def truncated(path: Path) -> Path:
    """The first half of a JPEG."""
    save(photograph(300, 300), path, "JPEG")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def written(data: bytes) -> Callable[[Path], Path]:
    """A file of these bytes."""

    def write(path: Path) -> Path:
        path.write_bytes(data)
        return path

    return write


NO_IMAGES: dict[str, Callable[[Path], Path]] = {
    "empty": written(b""),
    "text": written(b"no image at all\n"),
    "SVG": written(b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'),
    "EPS": written(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) run\n"),
    "TIFF": lambda path: save(left_red(), path, "TIFF"),
    "BMP": lambda path: save(left_red(), path, "BMP"),
    "half a JPEG": truncated,
    "PNG with too little data": lambda path: png(path, 500, 500, bytes(10)),
    "PNG with damaged data": lambda path: written(
        save(left_red(), path, "PNG").read_bytes().replace(b"IDAT", b"IDAT\xff\xff\xff", 1)
    )(path),
    "only a JPEG's signature": written(b"\xff\xd8\xff\xe0"),
    "only a WebP's signature": written(b"RIFF\x10\0\0\0WEBPVP8 "),
    "GIF without a frame": written(b"GIF89a" + bytes(7) + b";"),
}
