"""From a client's file to audio that an engine can read."""
