"""What an operator's key opens, and no tenant's: uploads under way, dead letters, jobs that do not move."""
