"""Frozen, versioned nouns and their canonical bytes. No I/O, no clock, no opinion."""
