"""Dead letters and stuck jobs, as operators see them and what they do with them."""
