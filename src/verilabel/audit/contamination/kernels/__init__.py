"""Compiled loops of the search for benchmarks."""
