"""Hand one upload in, as a careful client does, with an Idempotency-Key, or as a careless one, once and without."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from claimcheck.client import AsyncClient, ClientError, UnexpectedAnswer, answers
from claimcheck.client.exchange import ANSWER_S, Reply
from claimcheck.commands.verify.history import Attempt
from claimcheck.commands.verify.workload import Piece

KEYLESS_EVERY: Final = 10
"""Each so many-th upload goes without an Idempotency-Key."""
TWICE_EVERY: Final = 10
"""Each so many-th of the others is handed in twice, and must be the same job."""
TWICE_AT: Final = 5


@dataclass(frozen=True)
class Submitter:
    """Hands uploads in for one task. `bare`: an HTTP client led to the process API, which repeats nothing."""

    client: AsyncClient
    bare: httpx.AsyncClient
    task: str
    options: Mapping[str, Any]

    async def hand_in(self, number: int, piece: Piece) -> Attempt:
        """Hand the upload in; what came of it."""
        if number % KEYLESS_EVERY == KEYLESS_EVERY - 1:
            return await self._once(piece)
        return await self._until_answered(piece, times=2 if number % TWICE_EVERY == TWICE_AT else 1)

    async def hand_in_first(self, piece: Piece) -> Attempt:
        """Hand it in, to learn whether that can be done at all. Raises ClientError."""
        return Attempt(content=piece.content, input=piece.input, accepted=(await self._keyed(piece),))

    async def _until_answered(self, piece: Piece, *, times: int) -> Attempt:
        accepted, refusal = [], ""
        for _ in range(times):
            try:
                accepted.append(await self._keyed(piece))
            except ClientError as error:
                refusal = str(error)
        return Attempt(content=piece.content, input=piece.input, accepted=tuple(accepted), refusal=refusal)

    async def _keyed(self, piece: Piece) -> str:
        job = await self.client.submit(
            piece.body, task=self.task, options=self.options, name=piece.name, idempotency_key=piece.name
        )
        return job.id

    async def _once(self, piece: Piece) -> Attempt:
        """As `curl -F file=@NAME` does it."""
        fields = {"task": self.task, "options": json.dumps(dict(self.options))}
        accepted: tuple[str, ...] = ()
        refusal = ""
        try:
            answer = await self.bare.post("/v1/jobs", files={"file": (piece.name, piece.body)}, data=fields)
            accepted = (_accepted(answer),)
        except (httpx.RequestError, ClientError) as error:
            refusal = str(error) or type(error).__name__
        return Attempt(content=piece.content, input=piece.input, keyed=False, accepted=accepted, refusal=refusal)


def bare_client(url: str, key: str | None) -> httpx.AsyncClient:
    """A client of the process API that asks once, on a connection of its own each time."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    limits = httpx.Limits(max_keepalive_connections=0)
    return httpx.AsyncClient(base_url=url, headers=headers, timeout=ANSWER_S, limits=limits)


def _accepted(answer: httpx.Response) -> str:
    """The id in a 202. Raises ClientError."""
    job = answers.job(Reply(answer.status_code, dict(answer.headers), answer.content))
    if answer.status_code != httpx.codes.ACCEPTED:
        raise UnexpectedAnswer(f"the server answered {answer.status_code} to a submission; 202 is expected")
    return job.id
