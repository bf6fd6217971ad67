"""Detectors: one text in, one finding out, with version and measured error rates."""
