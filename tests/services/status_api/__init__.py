"""The status API with tenants: lists, waiting, keys."""
