"""The launcher with a plan of small programs: `python -m tests.services.launcher.small_system PLAN.json`.

The plan is {"folder", "ready_timeout_s", "stop_s", "foundations": {NAME: [ARG, ...]}, "services": the same,
"ports": {NAME: PORT}}; the arguments are small_program.py's.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from claimcheck.commands.up.launch import Launch
from claimcheck.commands.up.launcher import run_launcher
from claimcheck.commands.up.plan import Plan, PortUse, Program

HURRIED_STOP_S = {"disk": 20.0}
ADDRESS = "http://localhost:1/"


async def _nothing_to_provision() -> None:
    return


def _programs(args: dict[str, list[str]], ports: dict[str, int], stop_s: float) -> tuple[Program, ...]:
    start = (sys.executable, "-m", "tests.services.launcher.small_program")
    return tuple(
        Program(
            name=name,
            command=(*start, "--port", str(ports[name]), *more),
            port=ports[name],
            ready_path="/readyz",
            stop_s=stop_s,
            hurried_stop_s=HURRIED_STOP_S.get(name, 0),
        )
        for name, more in args.items()
    )


def _launch(given: dict[str, Any]) -> Launch:
    ports, stop_s = given["ports"], given["stop_s"]
    return Launch(
        plan=Plan(
            foundations=_programs(given["foundations"], ports, stop_s),
            services=_programs(given["services"], ports, stop_s),
        ),
        root=Path.cwd(),
        data=Path(given["folder"]),
        address=ADDRESS,
        provision=_nothing_to_provision,
        ready_lines=[f"claimcheck ready: {ADDRESS}"],
        ready_timeout_s=given["ready_timeout_s"],
    )


def main() -> int:
    """Run it; the exit status is the launcher's."""
    given = json.loads(Path(sys.argv[1]).read_text())
    uses = [PortUse(port, name, f"PORT_OF_{name.upper()}") for name, port in given["ports"].items()]
    return run_launcher(Path(given["folder"]), ADDRESS, uses, lambda: _launch(given))


if __name__ == "__main__":
    sys.exit(main())
