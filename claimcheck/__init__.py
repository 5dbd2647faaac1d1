"""What the services share; the one installable package. Imports no service."""
