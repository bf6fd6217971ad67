"""Measuring gateways side by side: what leaks, what stalls, how fast, how large; ours, bare ones and rivals."""
