"""Sizes. The first is the service's own, of the Standard tier; the others keep a hostile client small."""

MAX_MESSAGE_BYTES = 262_144
"""A message as it travels, or a whole batch: 256 KB."""
MAX_UNFINISHED_BYTES = 16 * MAX_MESSAGE_BYTES
"""All half-received messages of one connection together."""
MAX_CHANNEL = 255
MAX_HANDLE = 255
MIN_HEARTBEAT_S = 0.1
"""However short an idle timeout a client names."""
