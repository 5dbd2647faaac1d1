"""`claimcheck up`: the whole system on this machine, from one terminal, until Ctrl-C."""
