"""The audit of training data, measured: a corpus with known truth, other tools beside ours, and tables."""
