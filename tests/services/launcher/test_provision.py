"""The containers that `claimcheck up` makes, or finds as an earlier release made them."""

from __future__ import annotations

from azure.cosmos import PartitionKey
from azure.cosmos.aio import CosmosClient

from claimcheck.commands.up.addresses import RECORDS_KEY
from claimcheck.commands.up.provision import INDEXING, NO_DEFAULT_TTL, PARTITION_KEY, provision
from claimcheck.listing import Wanted
from claimcheck.records import Records
from claimcheck.settings import Settings
from tests.services.status_api.conftest import stored_job
from tests.stack.names import NameStock
from tests.stack.services import Services


async def make_container_of_an_earlier_release(settings: Settings) -> None:
    """Without the index that lists need."""
    older = {name: value for name, value in INDEXING.items() if name != "compositeIndexes"}
    async with CosmosClient(settings.records.endpoint, RECORDS_KEY) as client:
        database = await client.create_database(settings.records.database)
        await database.create_container(
            settings.records.container,
            partition_key=PartitionKey(path=list(PARTITION_KEY), kind="MultiHash"),
            default_ttl=NO_DEFAULT_TTL,
            indexing_policy=older,
        )


async def test_container_of_an_earlier_release_keeps_its_jobs_and_can_list_them(
    services: Services, name_stock: NameStock
) -> None:
    settings = services.settings(name_stock.take())
    await make_container_of_an_earlier_release(settings)
    records = Records(settings.records, timeout_s=10)
    try:
        older = await records.create_job(stored_job())
        await provision(settings)
        newer = await records.create_job(stored_job())
        found = await records.lists.jobs("acme", Wanted(), limit=10, after=None)
    finally:
        await records.close()
    assert {job.job_id for job in found} == {older.job_id, newer.job_id}


async def test_container_that_is_as_it_should_be_is_left_alone(services: Services, name_stock: NameStock) -> None:
    settings = services.settings(name_stock.take())

    async def version() -> str:
        async with CosmosClient(settings.records.endpoint, RECORDS_KEY) as client:
            container = client.get_database_client(settings.records.database).get_container_client("jobs")
            return str((await container.read())["_etag"])

    await provision(settings)
    first = await version()
    await provision(settings)
    assert await version() == first
