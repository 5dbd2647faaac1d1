"""Measured against the bare SDK, in one run: only the ratio of the two means anything on another machine."""
