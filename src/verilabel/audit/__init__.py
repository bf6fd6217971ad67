"""The audit of training data: what is in it, with known errors, as a record that others can check."""
