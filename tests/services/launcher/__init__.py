"""`claimcheck up` and `claimcheck stop`, as processes: with small programs first, and with the real system last."""
