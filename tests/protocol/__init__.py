"""The protocol, searched: every interleaving of faults over the product's own decisions. `python -m tests.protocol`.

The search owns the world alone: the record, the queue, the blobs, and processes that die between any two requests.
What a process does next, the product says (`product.py`); in which order it does so is written down as plans of
requests, each beside the function that it mirrors (`workers.py`, `clients.py`, `keeper.py`).
"""
