"""Rubric files, the three-valued decision, and the label that follows from counts."""
