"""Images: what a model sees of them, and which are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageDraw
from PIL.PngImagePlugin import PngInfo

from claimcheck.errors import ImageTooLarge, ImageUnreadable
from claimcheck.settings import DocumentSettings
from services.worker.media.images import PreparedImage, check_image_bytes, prepare_image
from tests.services.documents import images
from tests.services.documents.images import BLUE, RED, WHITE, left_red, photograph, save

LIMITS = DocumentSettings()
ORIENTATION = 0x0112
GPS = 0x8825


async def run(source: Path, *, limits: DocumentSettings = LIMITS) -> PreparedImage:
    return await prepare_image(source, source.parent, limits=limits)


def shown(prepared: PreparedImage) -> Image.Image:
    with Image.open(prepared.path) as image:
        assert image.get_format_mimetype() == prepared.media_type
        assert image.size == (prepared.reduced_width_px, prepared.reduced_height_px)
        return image.convert("RGB")


def is_like(image: Image.Image, at: tuple[float, float], colour: tuple[int, int, int]) -> bool:
    """Whether the pixel there, from 0 to 1 on each edge, is about of that colour: JPEG shifts them a little."""
    found = image.getpixel((int(at[0] * (image.width - 1)), int(at[1] * (image.height - 1))))
    assert isinstance(found, tuple)
    return max(abs(one - other) for one, other in zip(found, colour, strict=True)) < 40


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF"])
async def test_the_four_formats_are_read(form: str, tmp_path: Path) -> None:
    image = shown(await run(save(left_red(), tmp_path / "upload", form)))
    assert image.size == (80, 40)
    assert is_like(image, (0.2, 0.5), RED)
    assert is_like(image, (0.8, 0.5), BLUE)


async def test_of_several_pictures_in_a_jpeg_the_first_is_taken(tmp_path: Path) -> None:
    several = save(left_red(), tmp_path / "upload", "MPO", save_all=True, append_images=[photograph(9, 9)])
    assert (await run(several)).width_px == 80


# Where the red left half must be once the image is turned as each value of Orientation says.
RED_AT = {1: (0, 0.5), 2: (1, 0.5), 3: (1, 0.5), 4: (0, 0.5), 5: (0.5, 0), 6: (0.5, 0), 7: (0.5, 1), 8: (0.5, 1)}


@pytest.mark.parametrize("orientation", RED_AT)
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
async def test_an_image_is_turned_upright(form: str, orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    prepared = await run(save(left_red(), tmp_path / "upload", form, exif=exif))
    x, y = RED_AT[orientation]
    assert is_like(shown(prepared), (x, y), RED)
    assert is_like(shown(prepared), (1 - x, 1 - y) if {x, y} != {0.5} else (1, 1), BLUE)
    assert (prepared.width_px, prepared.height_px) == ((40, 80) if orientation > 4 else (80, 40))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
async def test_nothing_is_left_of_where_and_with_what_it_was_taken(form: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "SECRET camera"
    exif.get_ifd(GPS)[2] = (52.0, 31.0, 12.0)
    note = PngInfo()
    note.add_text("Comment", "SECRET text")
    how = {"pnginfo": note} if form == "PNG" else {"comment": "SECRET comment"} if form == "JPEG" else {}
    source = save(left_red(), tmp_path / "upload", form, exif=exif, icc_profile=b"SECRET profile", **how)
    assert b"SECRET" in source.read_bytes()
    prepared = await run(source)
    assert b"SECRET" not in prepared.path.read_bytes()
    with Image.open(prepared.path) as image:
        assert not image.getexif()
        assert not image.info.keys() - {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


async def test_damaged_metadata_harms_nobody(tmp_path: Path) -> None:
    source = save(left_red(), tmp_path / "upload", "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert (await run(source)).width_px == 80


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
async def test_what_is_transparent_becomes_white(mode: str, tmp_path: Path) -> None:
    image = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    ImageDraw.Draw(image).rectangle((0, 0, 19, 40), fill=(0, 0, 0, 255))
    made = image.quantize(4) if mode == "PA" else image.convert(mode)
    prepared = shown(await run(save(made, tmp_path / "upload", "PNG")))
    assert is_like(prepared, (0.1, 0.5), (0, 0, 0))
    assert is_like(prepared, (0.9, 0.5), WHITE)


@pytest.mark.parametrize(
    ("depth", "channels", "clear", "other"),
    [
        (1, 1, 0, 1),
        (4, 1, 0, 5),
        (8, 1, 0, 80),
        (8, 1, 80, 0),
        (16, 1, 0, 20_480),
        (16, 1, 20_480, 0),
        (8, 3, 0, 80),
        (8, 3, 80, 0),
        (16, 3, 0, 20_480),
    ],
)
async def test_the_one_colour_that_a_png_declares_transparent_becomes_white(
    depth: int, channels: int, clear: int, other: int, tmp_path: Path
) -> None:
    prepared = shown(await run(images.half_clear(tmp_path / "upload", depth, channels, clear, other)))
    shade = other * 255 // (2**depth - 1)
    assert is_like(prepared, (0.1, 0.5), WHITE)
    assert is_like(prepared, (0.9, 0.5), (shade, shade, shade))


async def test_a_grey_scale_of_16_bits_keeps_its_greys(tmp_path: Path) -> None:
    prepared = await run(save(Image.new("I;16", (8, 8), 30_000), tmp_path / "upload", "PNG"))
    assert shown(prepared).getpixel((4, 4)) == (117, 117, 117)


async def test_the_longer_edge_is_reduced_and_no_image_is_enlarged(tmp_path: Path) -> None:
    limits = DocumentSettings(image_edge_px=100)
    prepared = await run(save(left_red(400, 80), tmp_path / "upload", "PNG"), limits=limits)
    assert (prepared.width_px, prepared.height_px) == (400, 80)
    assert (prepared.reduced_width_px, prepared.reduced_height_px) == (100, 20)
    assert (await run(save(left_red(60, 100), tmp_path / "upload", "PNG"), limits=limits)).reduced_height_px == 100
    assert (await run(save(left_red(30, 20), tmp_path / "upload", "PNG"), limits=limits)).reduced_width_px == 30


async def test_a_line_of_pixels_stays_one(tmp_path: Path) -> None:
    prepared = await run(save(left_red(10_000, 1), tmp_path / "upload", "PNG"))
    assert (prepared.reduced_width_px, prepared.reduced_height_px) == (2048, 1)


async def test_what_is_drawn_stays_lossless_and_a_photograph_becomes_small(tmp_path: Path) -> None:
    drawn = left_red()
    assert (await run(save(drawn, tmp_path / "upload", "PNG"))).media_type == "image/png"
    assert ImageChops.difference(shown(await run(tmp_path / "upload")), drawn).getbbox() is None
    assert (await run(save(drawn, tmp_path / "upload", "JPEG"))).media_type == "image/jpeg"
    assert (await run(save(photograph(300, 300), tmp_path / "upload", "PNG"))).media_type == "image/jpeg"


async def test_the_first_frame_of_an_animation_is_taken(tmp_path: Path) -> None:
    prepared = await run(images.animated(tmp_path / "upload", 40), limits=DocumentSettings(memory_bytes=256 << 20))
    assert is_like(shown(prepared), (0.5, 0.5), RED)


@pytest.mark.parametrize("kind", images.NO_IMAGES)
async def test_what_is_no_whole_image_is_refused_for_good(kind: str, tmp_path: Path) -> None:
    source = images.NO_IMAGES[kind](tmp_path / "upload")
    with pytest.raises(ImageUnreadable, match="JPEG, PNG, WebP and GIF"):
        await run(source)


async def test_the_most_pixels_are_inclusive(tmp_path: Path) -> None:
    source = save(left_red(50, 20), tmp_path / "upload", "PNG")
    assert (await run(source, limits=DocumentSettings(max_image_pixels=1000))).width_px == 50
    with pytest.raises(ImageTooLarge, match=r"1,000 pixels \(50 x 20\); the limit is 999$"):
        await run(source, limits=DocumentSettings(max_image_pixels=999))


async def test_a_hundred_megapixels_are_refused_with_the_limit(tmp_path: Path) -> None:
    source = images.hundred_megapixels(tmp_path / "upload")
    with pytest.raises(ImageTooLarge, match=r"100,000,000 pixels \(10,000 x 10,000\); the limit is 50,000,000"):
        await run(source)


@pytest.mark.parametrize("size", [(65_535, 65_535), (2**31 - 1, 2**31 - 1)])
async def test_a_header_that_claims_more_than_there_is_is_believed_at_once(
    size: tuple[int, int], tmp_path: Path
) -> None:
    with pytest.raises(ImageTooLarge, match="the limit is 50,000,000"):
        await run(images.png(tmp_path / "upload", *size, b""))


async def test_a_frame_larger_than_its_screen_counts(tmp_path: Path) -> None:
    with pytest.raises(ImageTooLarge, match="the limit is 50,000,000"):
        await run(images.gif(tmp_path / "upload", screen=(1, 1), frame=(60_000, 60_000)))


def test_the_largest_file_is_inclusive() -> None:
    limits = DocumentSettings(max_image_bytes=1000)
    check_image_bytes(1000, limits)
    with pytest.raises(ImageTooLarge, match="the image is 1,001 bytes; the limit is 1,000"):
        check_image_bytes(1001, limits)


async def test_a_file_that_is_larger_is_not_opened(tmp_path: Path) -> None:
    source = save(photograph(50, 50), tmp_path / "upload", "PNG")
    with pytest.raises(ImageTooLarge, match="the limit is 1,000"):
        await run(source, limits=DocumentSettings(max_image_bytes=1000))
