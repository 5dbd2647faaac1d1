"""A small language model on this machine, for those who have no endpoint yet."""
