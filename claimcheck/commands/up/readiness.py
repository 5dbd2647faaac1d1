"""Ask a program whether it is ready: a port that takes connections, or a path that answers 200."""

from __future__ import annotations

import asyncio
import contextlib

import aiohttp

from claimcheck.commands.up.plan import Program

ASK_EVERY_S = 0.1
ANSWER_S = 5.0  # for one question; a program that loads a model may be slow to answer


async def until_ready(program: Program) -> None:
    """Return once `program` is ready; the caller sets the limit."""
    timeout = aiohttp.ClientTimeout(total=ANSWER_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        while not await _is_ready(program, session):  # noqa: ASYNC110 - another process's state has no event
            await asyncio.sleep(ASK_EVERY_S)


async def _is_ready(program: Program, session: aiohttp.ClientSession) -> bool:
    if not program.ready_path:
        return await _takes_connections(program)
    with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
        async with session.get(f"http://{program.host}:{program.port}{program.ready_path}") as answer:
            return answer.status == 200
    return False


async def _takes_connections(program: Program) -> bool:
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(program.host, program.port), ANSWER_S)
    except (OSError, TimeoutError):
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True
