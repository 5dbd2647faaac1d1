"""The HTTP contract, asked of running processes."""
