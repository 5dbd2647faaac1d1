"""`claimcheck verify`: check with real jobs, or on those there are, that every 202 ends, once and with one result.

The verdict is Jepsen's total-queue (jepsen/src/jepsen/checker.clj): an enqueue is a 202 that the client has seen, a
dequeue is a terminal status that it has read over HTTP.
"""
