"""The keeper: the always-on role that puts right what nobody else will. Loads no handler and no model."""
