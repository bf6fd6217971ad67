"""Admission by label: which models a route may use, by their verified bundles."""
