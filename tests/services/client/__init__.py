"""The Python client and the command line against the running system."""
