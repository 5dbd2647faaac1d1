"""Azurite as a process that a test can stop, start again and freeze."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from claimcheck.commands.up.addresses import blob_connection_string
from claimcheck.commands.up.azurite import azurite_command, ensure_azurite
from tests.stack.ports import free_port
from tests.stack.waiting import until

ROOT = Path(__file__).parents[2]


class AzuriteProcess:
    """Blob Storage on one port with one folder, both kept over stop and start."""

    def __init__(self, data: Path) -> None:
        self.port = free_port()
        self.connection_string = blob_connection_string(self.port)
        self._data, self._log = data, data / "azurite.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The running process's id."""
        assert self._process is not None, "start() comes first"
        return self._process.pid

    def start(self) -> None:
        """Start, and return once it listens."""
        node = ensure_azurite(ROOT, print)
        command = azurite_command(node, ROOT, port=self.port, data=self._data)
        self._data.mkdir(parents=True, exist_ok=True)
        with self._log.open("w") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            until(self._listens, "Azurite listens", deadline_s=60)
        except BaseException:
            self.stop()
            raise

    def pause(self) -> None:
        """Freeze it: connections are accepted, nothing is answered (SIGSTOP)."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Undo `pause`."""
        os.kill(self.pid, signal.SIGCONT)

    def stop(self) -> None:
        """End it so that it writes its metadata first (SIGTERM); a frozen one is woken for that."""
        if self._process is None:
            return
        self._process.terminate()
        self._process.send_signal(signal.SIGCONT)
        try:
            self._process.wait(timeout=40)  # It waits for connections that stand idle, which clients end after 15 s.
        finally:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _listens(self) -> bool:
        said = self._log.read_text()
        assert self._process is not None
        assert self._process.poll() is None, f"Azurite ended: {said}"
        return "successfully listens" in said
