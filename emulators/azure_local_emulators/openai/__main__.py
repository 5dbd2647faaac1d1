"""Run the endpoint: `python -m azure_local_emulators.openai --port 8090 [--model NAME[=VERSION]]... [--key KEY]...`.

Prints `ready http=PORT` once it listens. Exits with 2 and a sentence when the port is taken.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence

from ..http_program import CannotStart, listening_socket, loop_factory, serve
from .service import MAX_REQUEST_BYTES, Service, ServiceOptions

DEFAULT_MODEL = "gpt-4o-mini"


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status."""
    options = _parser().parse_args(arguments)
    try:
        listener = listening_socket(options.host, options.port)
    except CannotStart as problem:
        sys.stderr.write(f"openai emulator: {problem}\n")
        return 2
    service = Service(
        ServiceOptions(
            models=_models(options.model or [DEFAULT_MODEL]),
            keys=frozenset(options.key),
            context_tokens=options.context_tokens,
            delay_s=options.delay_s,
        )
    )
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(
            serve(service.handle, listener, max_request_bytes=MAX_REQUEST_BYTES, cancels_when_clients_leave=True)
        )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m azure_local_emulators.openai", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8090, help="0 takes any free port")
    parser.add_argument(
        "--model",
        action="append",
        help=f"a model, on Azure a deployment, and after = what answers call it; several times; else {DEFAULT_MODEL}",
    )
    parser.add_argument("--key", action="append", default=[], help="a key that is let in; without any, everybody is")
    parser.add_argument("--context-tokens", type=int, default=128_000, help="longest prompt and answer together")
    parser.add_argument("--delay-s", type=float, default=0.0, help="seconds that an answer takes unless a rule says")
    return parser


def _models(named: Sequence[str]) -> dict[str, str]:
    """What answers call each model."""
    pairs = (name.partition("=") for name in named)
    return {name: version or name for name, _, version in pairs}


if __name__ == "__main__":
    sys.exit(main())
