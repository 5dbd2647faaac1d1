"""Tasks that ask language models, end to end."""
