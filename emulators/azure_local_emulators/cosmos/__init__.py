"""Azure Cosmos DB for NoSQL on one machine: the gateway's REST protocol, strict enough to break what Azure would break.

Run it with `python -m azure_local_emulators.cosmos`. What it enforces, and why, is in `strictness/cosmos.md`.
"""
