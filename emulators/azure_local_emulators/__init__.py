"""Azure Service Bus and Azure Cosmos DB on one machine, over their real wire protocols, without Docker.

Two programs: `python -m azure_local_emulators.service_bus` and `python -m azure_local_emulators.cosmos`.
`STRICTNESS.md` lists the rules they hold callers to, each with its source and its test.
"""
