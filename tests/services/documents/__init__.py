"""Clients' images and documents: what is read, what is refused, and how the children that read them die."""
