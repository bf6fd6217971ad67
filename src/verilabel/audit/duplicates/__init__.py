"""Exact and near duplicates over a whole corpus: named in clusters, never removed."""
