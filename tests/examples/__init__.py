"""The packages under `examples/`, installed as their readers would, in a running system."""
