"""Everything that Claimcheck promises, checked against real processes."""
