"""The commands of `claimcheck`: one module or package each, read by `__main__`."""
