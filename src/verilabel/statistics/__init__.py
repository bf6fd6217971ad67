"""Exact bounds, e-processes and designs: what a label is decided with, in the standard library alone."""
