"""Compiled loops of the search for duplicates."""
