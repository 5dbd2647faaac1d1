"""Open files as a worker does and print two peaks of memory in bytes: this process's, and its largest child's.

    python -m tests.services.documents.peak FILE...

A file called `*.image` is an image, any other a document. What is refused is no failure here.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import sys
import tempfile
from pathlib import Path

from claimcheck.errors import PermanentFailure
from claimcheck.settings import DocumentSettings
from services.worker.media.documents import read_text
from services.worker.media.images import prepare_image
from tests.services.speech.peak import peak_bytes, unit_bytes

MAX_CHARS = 20_000_000  # so many that a text of 50 MB is begun


async def main(sources: list[Path]) -> None:
    limits = DocumentSettings()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for source in sources:
            with contextlib.suppress(PermanentFailure):
                if source.suffix == ".image":
                    await prepare_image(source, folder, limits=limits)
                else:
                    await read_text(source, folder, media_type="", limits=limits, max_chars=MAX_CHARS)
    sys.stdout.write(f"{peak_bytes()}\n{unit_bytes() * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss}\n")


if __name__ == "__main__":
    asyncio.run(main([Path(name) for name in sys.argv[1:]]))
