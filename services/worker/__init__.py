"""Takes deliveries and runs their stages. One process has one role: the queue it works for, or the keeper."""
