"""The demonstration model as a process: a real model, for tests that do not mind what it answers."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from claimcheck import demonstration
from claimcheck.commands.up.addresses import HOST
from claimcheck.commands.up.language import told_others
from tests.stack import components
from tests.stack.ports import free_port
from tests.stack.system import Program
from tests.stack.waiting import until

LOADED_S = 60.0  # it is read from disk, on a machine that does other things


@dataclass(frozen=True)
class DemonstrationModel:
    """One that answers."""

    program: Program
    port: int

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{HOST}:{self.port}"

    def variables(self) -> dict[str, str]:
        """What `claimcheck up` tells programs of it."""
        return told_others([demonstration.endpoint(HOST, self.port)])


@contextlib.contextmanager
def demonstration_model(folder: Path) -> Iterator[DemonstrationModel]:
    """Run it on one thread, and end it."""
    if importlib.util.find_spec("xllamacpp") is None:
        components.missing("xllamacpp is not installed")
    model, port = components.model(demonstration.NAME) / demonstration.FILE, free_port()
    command = ["-m", "services.demo_model", "--port", str(port), "--model", str(model), "--threads", "1"]
    program = Program(command, {}, f"http://{HOST}:{port}/health", folder / "demo-model.log")
    program.start()
    try:
        until(program.is_ready, f"the model is loaded; its log: {program.log}", deadline_s=LOADED_S)
        yield DemonstrationModel(program, port)
    finally:
        program.send(signal.SIGKILL)
        assert program.process is not None
        program.process.wait()


def chat(text: str, **more: object) -> bytes:
    """The body of a request."""
    return json.dumps({"messages": [{"role": "user", "content": text}], **more}).encode()
