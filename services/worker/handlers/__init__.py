"""The stages of every task, one module a task; imported by workers only."""
