"""`examples/page_ocr`: a package that adds a task, installed from its folder, without a change of ours."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from PIL import Image, ImageDraw, ImageFont

from tests.conftest import RunSystem
from tests.stack.client import Client
from tests.stack.components import ROOT, missing
from tests.stack.system import System

EXAMPLE = ROOT / "examples" / "page_ocr"
INVOICE = ("Invoice 2026-0117", "Web hosting, 12 months: 240.00 EUR", "Total due by 15 March: 285.60 EUR")
SIDEWAYS = 6  # of EXIF: turned a quarter to the left when it was taken
NOWHERE = "http://127.0.0.1:9"
EDGE_PX = 1024  # so that a page of twice the size is reduced
INSTALL_S = 150

pytestmark = pytest.mark.timeout(INSTALL_S + 120)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package and what it needs beyond a worker's own packages."""
    folder = tmp_path_factory.mktemp("page-ocr")
    copied = shutil.copytree(EXAMPLE, folder / "source")  # building leaves things behind
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--no-compile",
    ]
    command = [*pip, "--target", str(folder / "site"), "-r", str(copied / "constraints.txt"), str(copied)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    if done.returncode:
        missing(f"the example cannot be installed: {done.stderr[-2000:]}")
    return folder / "site"


@pytest.fixture(scope="module")
def running(installed: Path, run_system: RunSystem) -> Iterator[System]:
    """Both APIs and a worker for media, which all have the package on their path."""
    env = {
        "PYTHONPATH": str(installed),
        "CLAIMCHECK_DOCUMENTS__IMAGE_EDGE_PX": str(EDGE_PX),
        # Models are in the wheel; whatever still asks for one gets no answer.
        "HTTPS_PROXY": NOWHERE,
        "HTTP_PROXY": NOWHERE,
        "NO_PROXY": "127.0.0.1,localhost",
    }
    with run_system(workers=0, media_workers=1, env=env) as system:
        yield system


@pytest.fixture(scope="module")
def client(running: System) -> Iterator[Client]:
    """A client of it."""
    with Client(running.process_url, running.status_url) as client:
        yield client


def invoice() -> Image.Image:
    """Three lines in print."""
    page = Image.new("RGB", (900, 400), "white")
    for number, line in enumerate(INVOICE):
        ImageDraw.Draw(page).text((50, 60 + 100 * number), line, fill="black", font=ImageFont.load_default(size=36))
    return page


def submit(client: Client, page: Image.Image, **how: object) -> str:
    """Hand in a page; the job's id."""
    file = BytesIO()
    page.save(file, "PNG", **how)
    return client.submit(file.getvalue(), task="ocr", name="invoice.png", media_type="image/png")


def test_the_lines_of_an_invoice_are_read_and_not_logged(client: Client, running: System) -> None:
    job_id = submit(client, invoice())
    result = client.until_status(job_id, "succeeded", deadline_s=60)["result"]
    assert [line["text"] for line in result["lines"]] == list(INVOICE)
    assert all(line["confidence"] > 0.9 for line in result["lines"])
    assert (result["width_px"], result["height_px"]) == (900, 400)
    text = client.status.get(f"/v1/jobs/{job_id}/result", params={"format": "txt"})
    assert text.text.splitlines() == list(INVOICE)
    assert "ocr" in running.logs("media-1")
    assert INVOICE[0] not in running.logs("media-1")
    assert "RapidOCR" not in running.logs("media-1")


def test_boxes_are_in_pixels_of_the_image_as_one_sees_it(client: Client) -> None:
    exif = Image.Exif()
    exif[0x0112] = SIDEWAYS
    large = invoice().resize((2 * 900, 2 * 400)).transpose(Image.Transpose.ROTATE_90)
    result = client.until_status(submit(client, large, exif=exif), "succeeded", deadline_s=60)["result"]
    assert (result["width_px"], result["height_px"]) == (1800, 800)
    left, top = result["lines"][0]["box"][0]
    assert left == pytest.approx(100, abs=20)
    assert top == pytest.approx(128, abs=20)


def test_an_empty_page_has_no_lines(client: Client) -> None:
    job_id = submit(client, Image.new("RGB", (300, 300), "white"))
    assert client.until_status(job_id, "succeeded", deadline_s=60)["result"]["lines"] == []


def test_a_bomb_is_refused_by_the_confined_child(client: Client) -> None:
    job_id = submit(client, Image.new("1", (10_000, 10_000)))
    failed = client.until_status(job_id, "failed", deadline_s=60)
    assert failed["error"]["type"] == "urn:claimcheck:problem:image-too-large"
    assert "the limit is 50,000,000" in failed["error"]["detail"]


def test_its_options_are_checked_before_anything_is_stored(client: Client) -> None:
    answer = client.post(b"x", task="ocr", options={"min_confidence": 2}, media_type="image/png", name="a.png")
    assert answer.status_code == httpx.codes.BAD_REQUEST
    assert "min_confidence" in answer.json()["detail"]
