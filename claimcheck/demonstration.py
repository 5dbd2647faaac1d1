"""The demonstration model: what the launcher, the program that serves it, and who fetches it agree on.

A language model of 135 million parameters for machines without an endpoint. It shows how a job runs and what a result
looks like, and whatever it says is labelled as a demonstration; it sees no images and keeps to no schema.
"""

from __future__ import annotations

from typing import Final

from claimcheck.settings import Endpoint

NAME: Final = "smollm2-135m-instruct"
FILE: Final = "SmolLM2-135M-Instruct.Q4_1.gguf"

# One core reads 150 tokens a second and writes 65, fewer the longer the context is. A second slot makes nothing faster
# (107 tokens a second, not 118), but lets a short question pass a long one.
SLOTS: Final = 2
CONTEXT_TOKENS: Final = 2048
# Two questions of 1,630 tokens at once took 31 s on an idle machine of two cores and 62 s on a busy one. What runs into
# the time limit is asked again, and makes everything slower still.
CALL_S: Final = 180.0


def endpoint(host: str, port: int) -> Endpoint:
    """How workers reach it, and what the APIs say of it."""
    return Endpoint(
        name="demo",
        url=f"http://{host}:{port}/v1",
        model=NAME,
        capabilities=frozenset({"chat"}),
        concurrency=SLOTS,
        context_tokens=CONTEXT_TOKENS,
        demonstration=True,
    )
