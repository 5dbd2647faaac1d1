"""Config.json, durations, and how the process starts, refuses to start, and stops."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from azure_local_emulators.service_bus.config import InvalidConfig, read_config
from azure_local_emulators.service_bus.settings import QueueSettings, duration_text, parse_duration
from tests.stack.waiting import let_pass

from .harness import DEADLINE_S, Namespace, config

MODULE = "azure_local_emulators.service_bus"


def test_a_queue_of_microsofts_file_is_read_with_all_its_properties(tmp_path: Path) -> None:
    given = {
        "DeadLetteringOnMessageExpiration": True,
        "DefaultMessageTimeToLive": "P1DT1H",
        "DuplicateDetectionHistoryTimeWindow": "PT20S",
        "ForwardDeadLetteredMessagesTo": "",
        "ForwardTo": "",
        "LockDuration": "PT1M",
        "MaxDeliveryCount": 3,
        "RequiresDuplicateDetection": True,
        "RequiresSession": False,
    }
    assert read_config(config(tmp_path, ("queue.1", given), ("bare", {}))) == [
        QueueSettings("queue.1", 60.0, 3, 90_000.0, True, 20.0),
        QueueSettings("bare"),
    ]


def test_a_window_without_duplicate_detection_means_nothing(tmp_path: Path) -> None:
    (queue,) = read_config(config(tmp_path, ("q", {"DuplicateDetectionHistoryTimeWindow": "PT20S"})))
    assert queue.duplicate_window_s is None


@pytest.mark.parametrize(
    ("properties", "explanation"),
    [
        ({"LockDuration": "1 minute"}, "LockDuration: '1 minute' is no ISO 8601 duration"),
        ({"LockDuration": "PT6M"}, "LockDuration of queue q is 360 s"),
        ({"LockDuration": "PT0S"}, "LockDuration of queue q is 0 s"),
        ({"MaxDeliveryCount": 0}, "MaxDeliveryCount of queue q is 0"),
        ({"MaxDeliveryCount": "many"}, "MaxDeliveryCount is 'many'"),
        ({"MaxDeliveryCount": 2.5}, "MaxDeliveryCount is 2.5"),
        ({"DefaultMessageTimeToLive": "PT0S"}, "DefaultMessageTimeToLive of queue q is 0 s"),
        ({"RequiresDuplicateDetection": True, "DuplicateDetectionHistoryTimeWindow": "PT0S"}, "must be more than 0"),
        ({"RequiresSession": True}, "sessions are not supported"),
        ({"RequiresDuplicateDetection": "maybe"}, "RequiresDuplicateDetection is 'maybe'"),
        ({"ForwardTo": "other"}, "ForwardTo of queue q is 'other'; forwarding is not supported"),
        ({"ForwardDeadLetteredMessagesTo": "other"}, "forwarding is not supported"),
    ],
)
def test_a_bad_property_is_named_with_its_value(tmp_path: Path, properties: dict[str, Any], explanation: str) -> None:
    with pytest.raises(InvalidConfig, match=re.escape(explanation)):
        read_config(config(tmp_path, ("q", properties)))


@pytest.mark.parametrize(
    ("text", "explanation"),
    [
        ("{", "is no JSON"),
        ("[]", "UserConfig is \\[\\]"),
        ('{"UserConfig": {"Namespaces": [{"Topics": [{"Name": "t"}]}]}}', "topics and subscriptions"),
        ('{"UserConfig": {"Namespaces": [{"Queues": {}}]}}', None),
        ('{"UserConfig": {"Namespaces": [{"Queues": [1]}]}}', "a list of objects is expected"),
        ('{"UserConfig": {"Namespaces": [{"Queues": [{"Name": 1}]}]}}', "Name of a queue is 1"),
        ('{"UserConfig": {"Namespaces": [{"Queues": [{"Name": "a b"}]}]}}', "queue name is 'a b'"),
        ('{"UserConfig": {"Namespaces": [{"Queues": [{"Name": "a"}, {"Name": "A"}]}]}}', "the name 'A' twice"),
    ],
)
def test_a_malformed_file_is_explained(tmp_path: Path, text: str, explanation: str | None) -> None:
    path = tmp_path / "Config.json"
    path.write_text(text)
    if explanation is None:
        assert read_config(path) == []
        return
    with pytest.raises(InvalidConfig, match=explanation):
        read_config(path)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("PT30S", 30), ("PT1M30.5S", 90.5), ("P1D", 86_400), ("P1DT1H", 90_000), ("P2W", 1_209_600), ("PT0S", 0)],
)
def test_a_duration_is_read_in_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "P", "PT", "30", "PT30", "P1H", "PT-1S", "P1M", "P1Y", "P1DT", "pt1s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no ISO 8601 duration"):
        parse_duration(text)


@pytest.mark.parametrize("seconds", [0, 0.5, 5, 60, 86_400, 90_000.25, 10_675_199 * 86_400.0])
def test_a_duration_is_written_so_that_it_can_be_read(seconds: float) -> None:
    assert parse_duration(duration_text(seconds)) == seconds


def run(*args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", MODULE, *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)


def test_a_bad_config_ends_the_process_with_status_2(tmp_path: Path) -> None:
    ended = run("--config", str(config(tmp_path, ("q", {"LockDuration": "soon"}))))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "LockDuration: 'soon' is no ISO 8601 duration" in ended.stderr
    assert run("--config", str(tmp_path / "absent.json")).returncode == 2


@pytest.mark.parametrize("option", ["--port", "--admin-port"])
def test_a_taken_port_is_named_and_ends_the_process_with_status_2(option: str) -> None:
    other = "--admin-port" if option == "--port" else "--port"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run(option, str(port), other, "0")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert f"port {port} ({option}) cannot be used" in ended.stderr


def test_a_data_folder_serves_one_process_at_a_time(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    first = Namespace("--data", data)
    ended = run("--port", "0", "--admin-port", "0", "--data", data)
    first.process.stop()
    assert ended.returncode == 2
    assert "is used by another emulator process" in ended.stderr


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_process_cleanly(tmp_path: Path, sign: signal.Signals) -> None:
    command = [sys.executable, "-m", MODULE, "--port", "0", "--admin-port", "0", "--data", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert re.fullmatch(r"ready amqp=\d+ admin=\d+\n", process.stdout.readline())
        process.send_signal(sign)
        output, errors = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, output, errors) == (0, "", "")


def test_an_idle_emulator_is_small_quick_to_start_and_uses_no_cpu(tmp_path: Path) -> None:
    idle = Namespace("--data", str(tmp_path))
    assert idle.http("GET", "healthz")[0] == 200
    used_ms = _cpu_ms(idle.process.pid)
    assert used_ms < 2000, "of CPU; 100 to 200 on an idle machine"
    let_pass(1.0)
    assert _cpu_ms(idle.process.pid) - used_ms <= 20, "two clock ticks"
    resident_kb = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{idle.process.pid}/status").read_text())
    assert resident_kb
    assert int(resident_kb[1]) < 80 * 1024
    idle.process.stop()


def _cpu_ms(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return 10 * (int(fields[11]) + int(fields[12]))
