"""The fixtures that anyone who installs the emulators gets."""

from __future__ import annotations

import httpx

from azure_local_emulators.process import EmulatorProcess


def test_service_bus_of_the_plugin_answers_and_has_no_queue(service_bus_emulator: EmulatorProcess) -> None:
    admin = f"http://127.0.0.1:{service_bus_emulator.ports['admin']}"
    assert httpx.get(f"{admin}/_emulator/queues").json() == {}
    assert service_bus_emulator.ports["amqp"] != service_bus_emulator.ports["admin"]


def test_cosmos_of_the_plugin_answers(cosmos_emulator: EmulatorProcess) -> None:
    charges = httpx.get(f"http://127.0.0.1:{cosmos_emulator.ports['http']}/_emulator/charges")
    assert charges.status_code == httpx.codes.OK
