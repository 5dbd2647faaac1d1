"""Fixtures for tests against the emulators."""
