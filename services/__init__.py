"""The programs. Each imports `claimcheck` and none imports another."""
