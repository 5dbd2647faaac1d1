"""The programs, run as processes and spoken to from outside."""
