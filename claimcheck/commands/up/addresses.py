"""Where the local Azure services are and how to sign in to them. Pure.

The account names and keys are the ones that Microsoft publishes for its own emulators. They are no secrets: they open
nothing but an emulator that listens on loopback.
"""

from __future__ import annotations

HOST = "127.0.0.1"

# https://learn.microsoft.com/azure/storage/common/storage-use-azurite: "well-known storage account and key"
BLOB_ACCOUNT = "devstoreaccount1"
BLOB_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
# https://learn.microsoft.com/azure/cosmos-db/emulator: "authentication"
RECORDS_KEY = "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw=="
# https://learn.microsoft.com/azure/service-bus-messaging/overview-emulator: "connection string"; literally this word
QUEUE_KEY = "SAS_KEY_VALUE"


def blob_connection_string(port: int) -> str:
    """How the Blob SDK reaches Azurite."""
    endpoint = f"http://{HOST}:{port}/{BLOB_ACCOUNT}"
    return f"DefaultEndpointsProtocol=http;AccountName={BLOB_ACCOUNT};AccountKey={BLOB_KEY};BlobEndpoint={endpoint};"


def queue_connection_string(port: int) -> str:
    """How the Service Bus SDK reaches the emulator; the last part makes it speak AMQP without TLS."""
    name = "RootManageSharedAccessKey"
    return (
        f"Endpoint=sb://{HOST}:{port};SharedAccessKeyName={name};SharedAccessKey={QUEUE_KEY};"
        "UseDevelopmentEmulator=true;"
    )


def records_endpoint(port: int) -> str:
    """How the Cosmos DB SDK reaches the emulator."""
    return f"http://{HOST}:{port}"
