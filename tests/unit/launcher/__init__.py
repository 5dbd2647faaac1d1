"""What the launcher decides: which programs, where, and how long to wait."""
