"""Harmless puzzles for whoever can run a program: each has files, an answer, and a program that finds it."""
