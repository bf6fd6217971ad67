"""Compiled loops of the check of licences."""
