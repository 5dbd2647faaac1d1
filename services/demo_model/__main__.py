"""`python -m services.demo_model --port 8082`: serve the demonstration model until SIGTERM.

It prints `ready http=PORT` once it answers. Nothing is kept, so a signal ends it at once, also in the middle of an
answer: whoever asked sees a broken connection, and asks again.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from claimcheck.demonstration import CONTEXT_TOKENS, FILE, NAME, SLOTS
from claimcheck.settings import SpeechSettings
from services.demo_model.server import cores, serve, threads


def main() -> int:
    """Read the command line and serve; the exit status if that cannot be done."""
    chosen = _parser().parse_args()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Python's own would wait for llama.cpp to return
    if not chosen.model.is_file():
        return _refuse(f"there is no model at {chosen.model}; `claimcheck setup --models {NAME}` gets it")
    try:
        server = serve(
            chosen.model,
            name=NAME,
            port=chosen.port,
            slots=chosen.slots,
            context_tokens=chosen.context_tokens,
            threads=chosen.threads or threads(cores()),
        )
    except ImportError as cause:
        return _refuse(f"the demonstration model needs the package xllamacpp: {cause}")
    except RuntimeError as cause:
        return _refuse(f"{chosen.model} cannot be served at port {chosen.port} (see above): {cause}")
    sys.stdout.write(f"ready http={server.listening_address.rpartition(':')[2]}\n")
    sys.stdout.flush()
    threading.Event().wait()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.demo_model", description=__doc__)
    where = SpeechSettings().models_dir / NAME / FILE
    parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1; 0: any that is free")
    parser.add_argument("--model", type=Path, default=where, metavar="FILE", help=f"a GGUF file (default: {where})")
    parser.add_argument("--slots", type=int, default=SLOTS, help="requests at once (default: %(default)s)")
    parser.add_argument(
        "--context-tokens", type=int, default=CONTEXT_TOKENS, help="of question and answer (default: %(default)s)"
    )
    parser.add_argument("--threads", type=int, default=0, help="threads that compute (default: half the cores)")
    return parser


def _refuse(why: str) -> int:
    sys.stderr.write(f"{why}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
