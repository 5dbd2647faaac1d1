"""Every request that a process makes of its services, with the process killed just before it and just after."""
