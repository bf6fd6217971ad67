"""Compiled loops that tell languages and count facts of quality."""
