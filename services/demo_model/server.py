"""llama.cpp's own server, inside this process and on loopback alone: what it may do, and what it may remember.

It answers over the protocol of OpenAI at `/v1`, and `/health` with 200 once the model is loaded. It takes 285 MB at
most: the model's 98 MB, 94 MB for two contexts of 2,048 tokens, and what it computes in. Prompts and answers stay in
it: nothing of them is logged, kept beyond the slots, or told to other users of the server.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

HOST: Final = "127.0.0.1"
MOST_THREADS: Final = 4  # a model as small as this waits for its own threads beyond that
ERRORS: Final = 1  # llama.cpp's verbosity; a level above, refusals quote the requests that they refuse


def threads(cores: int) -> int:
    """How many threads compute. Pure.

    Half the cores: the other half transcribe and answer. With as many threads as cores each step waits for the thread
    that somebody else displaced: on two busy cores 731 tokens took 9.4 s with two threads and 4.7 s with one.
    """
    return max(1, min(MOST_THREADS, cores // 2))


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def serve(model: Path, *, name: str, port: int, slots: int, context_tokens: int, threads: int) -> Any:
    """The server, ready; it runs until the process ends. `context_tokens` are each slot's.

    Raises ImportError without xllamacpp, RuntimeError if the file is no model or the port is taken.
    """
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.model_alias = {name}
    params.offline = True
    params.hostnames, params.port = [HOST], port
    params.n_parallel, params.n_ctx = slots, slots * context_tokens
    params.n_gpu_layers, params.fit_params = 0, False  # else it loads the model twice to see what fits
    for cpu in (params.cpuparams, params.cpuparams_batch):
        # No spinning: idle threads would take the cores from whoever else computes here.
        cpu.n_threads, cpu.poll = threads, 0
    _keep_to_itself(params)
    return xllamacpp.Server(params)


def _keep_to_itself(params: Any) -> None:
    """No page, no cache of up to 8 GB, no look into the slots, and no web page of another origin that asks."""
    params.verbosity = ERRORS
    params.ui = False
    params.endpoint_slots = False
    params.cache_ram_mib = 0
    params.cache_idle_slots = False
    params.cors_origins, params.cors_origins_explicit, params.cors_credentials = "", True, False
