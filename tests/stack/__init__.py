"""Real services for tests: Azurite and both emulators on free ports, and the whole system on top of them."""
