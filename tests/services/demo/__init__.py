"""The demonstration model, for real."""
