"""The pure decisions of the client."""
