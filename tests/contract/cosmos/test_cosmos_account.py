"""The account around the items: databases, containers, keys, charges, and the process itself."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from azure.cosmos import PartitionKey
from azure.cosmos.aio import CosmosClient as AioCosmosClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.cosmos.conftest import DATABASE, DEADLINE_S, MODULE, done, encoded, endpoint

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from azure_local_emulators.process import EmulatorProcess
    from tests.contract.cosmos.conftest import Box, Desk, Opener, Raw, Refused

KEY = ["default", "j1"]


def item(**more: Any) -> dict[str, Any]:
    return {"id": "job", "tenant": "default", "job_id": "j1", **more}


async def listed(pages: Any) -> list[Any]:
    return [row async for row in pages] if hasattr(pages, "__aiter__") else list(pages)


async def test_databases_are_created_listed_queried_and_deleted(desk: Desk, refused: Refused, sdk: str) -> None:
    name = f"db-{sdk}-{time.time_ns()}"
    await done(desk.client.create_database(name))
    assert await refused(done_later(desk.client.create_database, name)) == (409, 0)
    assert name in [row["id"] for row in await listed(desk.client.list_databases())]
    query = desk.client.query_databases("SELECT * FROM d WHERE d.id = @n", parameters=[{"name": "@n", "value": name}])
    assert [row["id"] for row in await listed(query)] == [name]
    await done(desk.client.delete_database(name))
    assert (await refused(done_later(desk.client.get_database_client(name).read)))[0] == 404


async def done_later(call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    return await done(call(*arguments, **options))


async def test_containers_are_created_read_listed_replaced_and_deleted(desk: Desk, refused: Refused) -> None:
    database = await desk.database()
    box = await desk.box(default_ttl=60)
    name, definition = box.container.id, PartitionKey(["/tenant", "/job_id"])
    assert await refused(done_later(database.create_container, name, definition)) == (409, 0)
    properties = await done(box.container.read())
    assert (properties["defaultTtl"], properties["partitionKey"]["paths"]) == (60, ["/tenant", "/job_id"])
    assert name in [row["id"] for row in await listed(database.list_containers())]
    await done(database.replace_container(name, definition, default_ttl=61))
    assert (await done(box.container.read()))["defaultTtl"] == 61
    assert await refused(done_later(database.replace_container, name, PartitionKey("/other"))) == (400, 0)
    await done(database.delete_container(name))
    assert (await refused(done_later(box.container.read)))[0] == 404


async def test_an_item_in_a_missing_container_is_404_with_1003(box: Box, raw: Raw) -> None:
    headers = {"x-ms-documentdb-partitionkey": '["default","j1"]'}
    for path in (f"dbs/{DATABASE}/colls/missing/docs/x", "dbs/missing/colls/missing/docs/x"):
        answer = raw.send("GET", path, headers=headers)
        assert (answer.status_code, answer.headers["x-ms-substatus"]) == (404, "1003")


async def test_a_client_of_a_container_made_anew_finds_its_way(desk: Desk, box: Box) -> None:
    await box.create(item())
    database = await desk.database()
    await done(database.delete_container(box.container.id))
    await done(database.create_container(box.container.id, PartitionKey(["/tenant", "/job_id"])))
    assert await box.query("SELECT * FROM c", partition_key=KEY) == []
    await box.create(item())


async def test_the_resource_id_of_another_container_is_400_with_1024(box: Box, raw: Raw) -> None:
    headers = {"x-ms-documentdb-partitionkey": '["default","j1"]', "x-ms-cosmos-intended-collection-rid": "AAAA"}
    answer = raw.send("GET", f"{raw.docs(box)}/job", headers=headers)
    assert (answer.status_code, answer.headers["x-ms-substatus"]) == (400, "1024")


@pytest.mark.parametrize(
    "definition",
    [
        {},
        {"partitionKey": {"paths": [], "kind": "Hash", "version": 2}},
        {"partitionKey": {"paths": ["/a", "/b"], "kind": "Hash", "version": 2}},
        {"partitionKey": {"paths": ["/a", "/b", "/c", "/d"], "kind": "MultiHash", "version": 2}},
        {"partitionKey": {"paths": ["a"], "kind": "Hash", "version": 2}},
        {"partitionKey": {"paths": ["/a"], "kind": "Hash", "version": 1}},
        {"partitionKey": {"paths": ["/a"], "kind": "Range", "version": 2}},
        {"partitionKey": {"paths": ["/a"], "kind": "Hash", "version": 2}, "defaultTtl": 0},
        {"partitionKey": {"paths": ["/a"], "kind": "Hash", "version": 2}, "indexingPolicy": {"includedPaths": 1}},
        {
            "partitionKey": {"paths": ["/a"], "kind": "Hash", "version": 2},
            "uniqueKeyPolicy": {"uniqueKeys": [{"paths": ["/b"]}]},
        },
    ],
)
async def test_a_container_that_makes_no_sense_or_is_beyond_the_emulator_is_400(
    box: Box, raw: Raw, definition: dict[str, Any]
) -> None:
    content = encoded({"id": "refused", **definition})
    assert raw.send("POST", f"dbs/{DATABASE}/colls", content=content).status_code == 400


async def test_a_wrong_key_is_401(strong: EmulatorProcess, open_desk: Opener, refused: Refused) -> None:
    from base64 import b64encode

    async def opened() -> None:
        desk = await open_desk(strong, b64encode(b"wrong" * 10).decode())
        await desk.database()

    assert (await refused(opened()))[0] == 401


def test_a_request_without_a_signature_is_401(raw: Raw) -> None:
    for token in ("", "nonsense", "type=master&ver=1.0&sig=", "type=resource&ver=1&sig=x"):
        assert raw.send("GET", "dbs", headers={"authorization": token}).status_code == 401


def test_an_entra_token_is_accepted(raw: Raw) -> None:
    assert raw.send("GET", "dbs", headers={"authorization": "type%3Daad%26ver%3D1.0%26sig%3Dtoken"}).status_code == 200


async def test_point_reads_cost_double_in_a_strong_account(
    strong: EmulatorProcess, lagging: EmulatorProcess, open_desk: Opener
) -> None:
    for emulator, factor in ((strong, 2), (lagging, 1)):
        box = await (await open_desk(emulator)).box()
        for size_bytes, units in ((700, 1.0), (100 * 1024, 10.0)):
            await box.upsert(item(text="x" * size_bytes))
            assert await box.charge_of(box.read("job", KEY)) == pytest.approx(units * factor, rel=0.05)


async def test_writes_and_queries_cost_about_what_is_published(box: Box) -> None:
    text = "x" * 700
    assert await box.charge_of(box.create(item(text=text))) == pytest.approx(5.7, rel=0.1)
    assert await box.charge_of(box.replace("job", item(text=text))) == pytest.approx(10.7, rel=0.1)
    patch = box.patch("job", KEY, [{"op": "set", "path": "/n", "value": 1}])
    assert await box.charge_of(patch) == pytest.approx(10.7, rel=0.1)
    assert await box.charge_of(box.query("SELECT * FROM c", partition_key=KEY)) == pytest.approx(2 * 2.8, rel=0.1)
    assert await box.charge_of(box.delete("job", KEY)) == pytest.approx(5.7, rel=0.1)


async def test_charges_are_summed_by_kind(box: Box, raw: Raw) -> None:
    raw.control("DELETE", "charges")
    await box.create(item())
    await box.read("job", KEY)
    await box.read("job", KEY)
    report = raw.control("GET", "charges")
    assert report["read"] == {"requests": 2, "request_units": 4.0}
    assert report["create"]["requests"] == 1
    assert report["total"]["request_units"] >= report["create"]["request_units"] + 4


async def test_twenty_racing_writers_have_one_winner(strong: EmulatorProcess) -> None:
    from azure.core import MatchConditions
    from azure.cosmos.exceptions import CosmosHttpResponseError

    from azure_local_emulators.cosmos.authorization import WELL_KNOWN_KEY

    async with AioCosmosClient(endpoint(strong), WELL_KNOWN_KEY) as client:
        database = await client.create_database_if_not_exists(DATABASE)
        container = await database.create_container_if_not_exists("race", PartitionKey(["/tenant", "/job_id"]))
        stored = await container.upsert_item(item(n=0))

        async def write(n: int) -> int:
            condition = {"etag": stored["_etag"], "match_condition": MatchConditions.IfNotModified}
            try:
                await container.replace_item("job", item(n=n), **condition)
            except CosmosHttpResponseError as refusal:
                return int(refusal.status_code or 0)
            return 200

        assert sorted(await asyncio.gather(*map(write, range(20)))) == [200] + [412] * 19


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_request_is_answered_with_a_500(raw: Raw, data: st.DataObject) -> None:
    words = st.sampled_from(
        ["dbs", "colls", "docs", "pkranges", "offers", DATABASE, "race", "job", "sprocs", "x%", "é"]
    )
    path = "/".join(data.draw(st.lists(words, max_size=7)))
    names = [
        "x-ms-documentdb-partitionkey",
        "x-ms-documentdb-isquery",
        "x-ms-documentdb-is-upsert",
        "x-ms-cosmos-is-batch-request",
        "x-ms-documentdb-query-enablecrosspartition",
        "x-ms-documentdb-partitionkeyrangeid",
        "x-ms-start-epk",
        "x-ms-end-epk",
        "x-ms-continuation",
        "x-ms-max-item-count",
        "x-ms-session-token",
        "x-ms-consistency-level",
        "If-Match",
    ]
    contents = st.sampled_from(
        ['["default","j1"]', '["default"]', "[{}]", "true", "0", "-5", "0:-1#1", "Eventual", "*", "{", "FF"]
    )
    headers = data.draw(st.dictionaries(st.sampled_from(names), contents | st.text('az09{}[]",:#=', max_size=12)))
    scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    bodies = st.recursive(
        scalars,
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["id", "query", "operations", "op", "path", "value", "parameters", "operationType"]),
                inner,
            )
        ),
        max_leaves=12,
    ).map(encoded)
    method = data.draw(st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]))
    if (method, path.count("/")) in (("DELETE", 1), ("DELETE", 3)):
        return  # the other tests need their database and containers
    answer = raw.send(method, path, content=data.draw(bodies | st.binary(max_size=40)), headers=headers)
    assert answer.status_code < 500, answer.text


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(min_size=1, max_size=120))
def test_bytes_that_are_no_http_do_not_stop_the_emulator(strong: EmulatorProcess, junk: bytes) -> None:
    with socket.create_connection(("127.0.0.1", strong.ports["http"]), timeout=DEADLINE_S) as connection:
        connection.sendall(junk + b"\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(4096)
    assert not answer or answer.startswith(b"HTTP/1.1 4") or answer.startswith(b"HTTP/1.0 4"), answer[:100]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", MODULE, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)


def test_a_taken_port_is_a_sentence_and_status_2(strong: EmulatorProcess) -> None:
    ended = run("--port", str(strong.ports["http"]))
    assert ended.returncode == 2
    assert ended.stderr == f"cosmos emulator: port {strong.ports['http']} on 127.0.0.1 is taken\n"


def test_a_folder_in_use_and_a_bad_key_are_sentences_too(start: Callable[..., EmulatorProcess], tmp_path: Path) -> None:
    start("--data", str(tmp_path))
    taken = run("--port", "0", "--data", str(tmp_path))
    assert (taken.returncode, taken.stderr.count("\n")) == (2, 1)
    assert "is used by another emulator process" in taken.stderr
    assert run("--port", "0", "--key", "no base64!").returncode == 2


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly(how: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-m", MODULE, "--port", "0"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("ready http=")
        process.send_signal(how)
        assert process.wait(timeout=DEADLINE_S) == 0


def test_it_starts_with_little_work_stays_small_and_idles(start: Callable[..., EmulatorProcess]) -> None:
    emulator = start()
    process = psutil.Process(emulator.pid)
    before = process.cpu_times()
    assert before.user + before.system < 2.0  # 0.2 s on an idle machine
    assert process.memory_info().rss < 80 * 2**20
    voluntary = process.num_ctx_switches().voluntary
    with socket.create_connection(("127.0.0.1", emulator.ports["http"]), timeout=5) as quiet:
        quiet.settimeout(0.5)
        with pytest.raises(TimeoutError):
            quiet.recv(1)
    assert process.num_ctx_switches().voluntary - voluntary < 10  # woken by the connection, not by a clock
    assert process.cpu_times().user - before.user < 0.1
