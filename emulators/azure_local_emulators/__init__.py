"""Azure Service Bus, Azure Cosmos DB and a scripted Azure OpenAI on one machine, over their real wire protocols.

Three programs, without Docker: `python -m azure_local_emulators.service_bus`, `python -m azure_local_emulators.cosmos`
and `python -m azure_local_emulators.openai`.
`STRICTNESS.md` lists the rules they hold callers to, each with its source and its test.
"""
