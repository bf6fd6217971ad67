"""Statements with their bounds: pure functions of counts."""
