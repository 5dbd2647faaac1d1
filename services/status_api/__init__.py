"""Answers where a job stands and hands out its result. Reads records and results; writes nothing."""
