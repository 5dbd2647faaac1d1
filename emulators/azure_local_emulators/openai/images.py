"""What an image says about itself in its first bytes: format, size, and whether it carries EXIF. Decodes no pixel.

Pure. Sources: PNG (RFC 2083), JPEG (ITU T.81 B.1), GIF89a, WebP container specification.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import error as StructError
from struct import unpack_from

_SIZES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # start of frame, but for DHT, JPG and DAC
_SCAN, _EXIF = 0xDA, 0xE1


@dataclass(frozen=True)
class Image:
    """An image that came with a request."""

    kind: str
    """png, jpeg, gif or webp."""
    width_px: int
    height_px: int
    size_bytes: int
    has_exif: bool

    def described(self) -> str:
        """One line about it."""
        exif = "EXIF" if self.has_exif else "no EXIF"
        return f"{self.kind} of {self.width_px} x {self.height_px} px, {self.size_bytes} bytes, {exif}"


def read_image(data: bytes) -> Image | None:
    """None: it is none of the four, or ends too early."""
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            width, height = unpack_from(">II", data, 16)
            return Image("png", width, height, len(data), _has_chunk(data, b"eXIf"))
        if data.startswith((b"GIF87a", b"GIF89a")):
            width, height = unpack_from("<HH", data, 6)
            return Image("gif", width, height, len(data), has_exif=False)
        if data.startswith(b"\xff\xd8\xff"):
            return _jpeg(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp(data)
    except (IndexError, StructError):
        return None
    return None


def _has_chunk(data: bytes, wanted: bytes) -> bool:
    at = 8
    while at + 8 <= len(data):
        (length,) = unpack_from(">I", data, at)
        if data[at + 4 : at + 8] == wanted:
            return True
        at += 12 + length
    return False


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Marker and place of the body of each segment before the scan."""
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            return
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        yield marker, at + 4
        if marker == _SCAN:
            return
        at += 2 + int(unpack_from(">H", data, at + 2)[0])


def _jpeg(data: bytes) -> Image | None:
    has_exif, size = False, None
    for marker, at in _segments(data):
        has_exif |= marker == _EXIF and data[at : at + 6] == b"Exif\0\0"
        if marker in _SIZES and size is None:
            size = unpack_from(">HH", data, at + 1)
    return Image("jpeg", size[1], size[0], len(data), has_exif) if size else None


def _webp(data: bytes) -> Image | None:
    form = data[12:16]
    if form == b"VP8X":
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
        return Image("webp", width, height, len(data), bool(data[20] & 0x08))
    if form == b"VP8L":
        bits = int(unpack_from("<I", data, 21)[0])
        return Image("webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, len(data), has_exif=False)
    if form == b"VP8 ":
        width, height = (side & 0x3FFF for side in unpack_from("<HH", data, 26))
        return Image("webp", width, height, len(data), has_exif=False)
    return None
