"""Items of benchmarks inside training data."""
