"""Probes: attempts to get out of a box, what was planted for them outside, and what is to be made of their answers."""
