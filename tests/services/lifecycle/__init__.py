"""Jobs taken through anything that may befall them, in random order, against a model of what a client may see."""
