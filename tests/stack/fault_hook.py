"""The fault hook of an emulator that others use too: whoever arms a fault here takes away that one and no other."""

from __future__ import annotations

from typing import Any

import httpx

from azure_local_emulators.process import EmulatorProcess
from claimcheck.commands.up.addresses import HOST
from tests.stack.client import ANSWER_S

Fault = dict[str, Any]


class FaultHook:
    """Faults of one owner, in one emulator."""

    def __init__(self, emulator: EmulatorProcess, port: str) -> None:
        """`port`: the emulator's name for the one that takes faults."""
        address = f"http://{HOST}:{emulator.ports[port]}/_emulator/"
        # Nothing is verified where there is no TLS, and to load certificates takes 25 ms.
        self._http = httpx.Client(base_url=address, verify=False, timeout=ANSWER_S)
        self._ids: list[str] = []

    def arm(self, **fault: Any) -> None:
        """Arm one more."""
        self._ids.append(self._http.post("faults", json=fault).raise_for_status().json()["id"])

    def armed(self) -> list[Fault]:
        """Those that are armed here, with what they have `seen`."""
        return [fault for fault in self.everyones() if fault["id"] in self._ids]

    def everyones(self) -> list[Fault]:
        """Those that anybody has armed."""
        faults: list[Fault] = self._http.get("faults").raise_for_status().json()
        return faults

    def disarm(self) -> None:
        """Take them away. An emulator that has been started anew knows none of them."""
        while self._ids:
            gone = self._http.delete(f"faults/{self._ids.pop()}")
            assert gone.is_success or gone.status_code == httpx.codes.NOT_FOUND, gone.text

    def close(self) -> None:
        """Take them away, and close the connection."""
        self.disarm()
        self._http.close()
