"""Queues, over the wire."""
