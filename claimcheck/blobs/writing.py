"""Write one blob block by block, in memory that is bounded however many uploads there are."""

from __future__ import annotations

import asyncio
import collections
import hashlib
import io
import secrets
from dataclasses import dataclass

from azure.storage.blob import BlobBlock, ContentSettings
from azure.storage.blob.aio import BlobClient

from claimcheck.blobs.calls import call, put

SMALL_BYTES = 256 * 1024  # Any line carries it in the time of a request that carries nothing.
STAGED_AT_ONCE = 2  # One block travels while the next fills: more memory buys nothing on one connection.


@dataclass(frozen=True)
class Written:
    """What a finished blob holds."""

    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Limits:
    """Of one writer."""

    block_bytes: int
    block_s: float
    """Time limit in seconds of a request that carries a block, or a whole blob of more than `SMALL_BYTES`."""
    other_s: float
    """Time limit in seconds of any other request."""

    def of_whole(self, size_bytes: int) -> float:
        """The time limit of the one request that carries a whole blob."""
        return self.block_s if size_bytes > SMALL_BYTES else self.other_s


class Ahead:
    """How many blocks all uploads together may stage while they already fill the next ones.

    Each upload holds one block of its own. Only one more is taken from here, so nobody waits for another upload.
    """

    def __init__(self, blocks: int) -> None:
        self._left = blocks

    def take(self) -> bool:
        """Whether there is room for one more block; if so, `give_back` comes later."""
        if self._left == 0:
            return False
        self._left -= 1
        return True

    def give_back(self) -> None:
        """The block is staged, or given up."""
        self._left += 1


class BlobWriter:
    """Writes one blob block by block. Holds one block, and up to `STAGED_AT_ONCE` more as far as `ahead` has room.

    A blob that ends within its first block is one Put Blob. Until `finish` nothing is visible; staged blocks that are
    never committed are discarded by the service after a week.
    """

    def __init__(self, blob: BlobClient, ahead: Ahead, limits: Limits) -> None:
        self._blob, self._ahead, self._limits = blob, ahead, limits
        self._filling = io.BytesIO()  # The first block grows as bytes come: most uploads never fill it.
        self._staging: collections.deque[asyncio.Task[None]] = collections.deque()
        self._blocks: list[str] = []
        self._digest = hashlib.sha256()
        self.size_bytes = 0

    async def write(self, chunk: bytes) -> None:
        """Add bytes; waits while the storage is slower than the caller. Raises BlobsUnavailable."""
        self._digest.update(chunk)
        self.size_bytes += len(chunk)
        rest = memoryview(chunk)
        while len(rest) > (room := self._limits.block_bytes - self._filling.tell()):
            self._filling.write(rest[:room])
            await self._stage()
            self._filling, rest = _with_room(self._limits.block_bytes), rest[room:]
        self._filling.write(rest)

    async def finish(self, media_type: str) -> Written:
        """Make the blob visible. Raises BlobsUnavailable; it may then be there all the same."""
        self._filling.truncate()
        if self._blocks:
            await self._send(self._new_id(), self._filling)
            await self._staged(0)
            async with call(self._limits.other_s):
                blocks = [BlobBlock(block_id) for block_id in self._blocks]
                await self._blob.commit_block_list(blocks, content_settings=ContentSettings(content_type=media_type))
        else:
            with self._filling as only:
                async with call(self._limits.of_whole(self.size_bytes)):
                    await put(self._blob, only.getvalue(), media_type)
        return Written(self.size_bytes, self._digest.hexdigest())

    async def discard(self) -> None:
        """Stop writing; what was staged stays invisible."""
        for task in self._staging:
            task.cancel()
        await asyncio.gather(*self._staging, return_exceptions=True)
        self._staging.clear()
        self._filling.close()

    async def _stage(self) -> None:
        """Send the block that is full: ahead, while the next one fills, or else now."""
        await self._staged(STAGED_AT_ONCE - 1)
        block_id = self._new_id()
        if not self._ahead.take():
            # Waiting for another upload's block instead would add its time to ours, and hold as much memory.
            await self._send(block_id, self._filling)
            return
        task = asyncio.create_task(self._send(block_id, self._filling))
        task.add_done_callback(self._is_staged)
        self._staging.append(task)

    def _is_staged(self, task: asyncio.Task[None]) -> None:
        self._ahead.give_back()
        if not task.cancelled():
            task.exception()  # Looked at, so that asyncio does not warn of one that nobody waits for any more.

    def _new_id(self) -> str:
        """The next block's id, at its place in the blob. Random: two writers of one name never mix their blocks."""
        self._blocks.append(secrets.token_hex(16))
        return self._blocks[-1]

    async def _send(self, block_id: str, block: io.BytesIO) -> None:
        # Closed at the end, which frees it: the SDK's errors hold on to their request, and that to its body.
        with block:
            length = block.tell()
            block.seek(0)
            async with call(self._limits.block_s):
                # A stream is sent in pieces; bytes would be copied as a whole, behind the headers (aiohttp 3.14).
                await self._blob.stage_block(block_id, block, length=length)

    async def _staged(self, left: int) -> None:
        """Wait until at most `left` blocks are under way."""
        while len(self._staging) > left:
            await self._staging.popleft()


def _with_room(size_bytes: int) -> io.BytesIO:
    """An empty block that never grows: growing copies it again and again, and leaves holes in the heap."""
    block = io.BytesIO()
    block.seek(size_bytes - 1)
    block.write(b"\0")
    block.seek(0)
    return block
