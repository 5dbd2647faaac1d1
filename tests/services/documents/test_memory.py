"""Bombs are refused in the memory that small files take."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.services.documents import images, papers
from tests.stack.components import ROOT

# A zip bomb of 300 MB and an image of 100 megapixels would take ten times as much.
MORE_BYTES = 25_000_000


def peaks_bytes(sources: list[Path]) -> list[int]:
    """Peak memory of the worker and of its largest child over these files."""
    command = [sys.executable, "-m", "tests.services.documents.peak", *map(str, sources)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    return [int(line) for line in done.stdout.split()]


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_bombs_take_little_more_memory_than_small_files(tmp_path: Path) -> None:
    bomb = papers.zip_bomb(300_000_000)
    small = [
        written(tmp_path / "small.pdf", papers.pdf([["x"]])),
        written(tmp_path / "small.docx", papers.docx("x")),
        written(tmp_path / "small.txt", b"x\n"),
        images.save(images.left_red(), tmp_path / "small.image", "PNG"),
    ]
    bombs = [
        written(tmp_path / "pages.pdf", papers.pdf([["x"]] * 10_000)),
        written(tmp_path / "bomb.docx", bomb),
        written(tmp_path / "lying.docx", papers.lying_about(bomb, papers.MAIN, 1000)),
        written(tmp_path / "laughing.docx", papers.laughing()),
        papers.one_line(tmp_path / "line.txt", 50_000_000),
        images.hundred_megapixels(tmp_path / "megapixels.image"),
        images.animated(tmp_path / "animated.image", 20),
    ]
    worker_bytes, child_bytes = peaks_bytes(small)
    bombed_worker_bytes, bombed_child_bytes = peaks_bytes(bombs)
    assert bombed_worker_bytes - worker_bytes < MORE_BYTES
    assert bombed_child_bytes - child_bytes < MORE_BYTES
