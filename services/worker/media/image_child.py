"""Make an image ready for a model. Run by `confine.py` under limits, never imported by the worker.

Writes TARGET (JPEG or PNG) and reports `media_type`, `width_px`, `height_px` (as it came, upright), `reduced_width_px`
and `reduced_height_px`; or refuses with `unreadable` or `too-many-pixels`. Imports little but Pillow.
"""

from __future__ import annotations

from typing import Any

from PIL import Image

from services.worker.media.confine import Refused, reading

# A list of what is allowed: Pillow reads fifty formats, some of which start other programs (EPS) or are rarely tested.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
ORIENTATION = 0x0112
SIDEWAYS = range(5, 9)  # values of EXIF's Orientation that swap width and height
BACK = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Text and lines stay sharp in PNG and are smaller there; a photograph is ten times as large. A screenshot has a few
# hundred colours once it is reduced, a photograph of 64 x 64 pixels already thousands.
DRAWN_COLOURS = 4096
JPEG_QUALITY = 90


def report(source: str, target: str, edge_px: str, max_pixels: str) -> dict[str, Any]:
    """Reduce, turn upright and flatten the first frame of the image."""
    Image.MAX_IMAGE_PIXELS = None  # Pillow would only warn; `opened` refuses
    with reading():
        image = opened(source, int(max_pixels))
        was_jpeg, (width_px, height_px) = image.format in ("JPEG", "MPO"), image.size
        image.draft(None, (int(edge_px), int(edge_px)))  # a large JPEG is decoded at a half, a quarter or an eighth
        image.load()  # before its metadata: Pillow would load for them, and a second load hides that the first failed
        turned = orientation(image)
        ready = flat(upright(reduced(image, int(edge_px)), turned))
    if turned in SIDEWAYS:
        width_px, height_px = height_px, width_px
    kind = "image/jpeg" if was_jpeg or ready.getcolors(DRAWN_COLOURS) is None else "image/png"
    if kind == "image/png":
        ready.save(target, "PNG")
    else:
        ready.save(target, "JPEG", quality=JPEG_QUALITY)
    return {
        "media_type": kind,
        "width_px": width_px,
        "height_px": height_px,
        "reduced_width_px": ready.width,
        "reduced_height_px": ready.height,
    }


def opened(source: str, max_pixels: int) -> Image.Image:
    """The image, of which only the header is read yet. Raises Refused."""
    image = Image.open(source, formats=FORMATS)
    if image.width * image.height > max_pixels:
        raise Refused("too-many-pixels", width_px=image.width, height_px=image.height)
    return image


def orientation(image: Image.Image) -> int:
    """EXIF's Orientation; 1 (upright) where there is none, or none that can be read."""
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # damaged metadata makes Pillow raise nearly anything, and the picture may be whole
        return 1


def reduced(image: Image.Image, edge_px: int) -> Image.Image:
    """At most `edge_px` on the longer edge, 8 bits a channel, as grey or colour with or without transparency."""
    plain = eight_bits(image)
    plain.thumbnail((edge_px, edge_px), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return plain


def eight_bits(image: Image.Image) -> Image.Image:
    """The image in a mode that can be resized, and shown on a white ground."""
    if image.mode.startswith("I"):  # 16 bits of grey; `convert` alone would cut off what is over 255
        clear = image.info.get("transparency")
        image = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
        if clear is not None:
            image.info["transparency"] = clear // 256
    if image.mode in ("RGBA", "LA"):
        return image
    if image.has_transparency_data:  # also of grey or colour: a PNG may declare one of them transparent
        return image.convert("LA" if image.mode == "L" else "RGBA")
    return image if image.mode in ("RGB", "L") else image.convert("RGB")


def upright(image: Image.Image, turned: int) -> Image.Image:
    """Turned back, if it was turned."""
    return image.transpose(BACK[turned]) if turned in BACK else image


def flat(image: Image.Image) -> Image.Image:
    """On a white ground, in a new image: nothing of the old one's metadata is left, which Pillow might write again."""
    ground = Image.new("L" if image.mode in ("L", "LA") else "RGB", image.size, "white")
    ground.paste(image, mask=image.getchannel("A") if image.mode in ("RGBA", "LA") else None)
    return ground
