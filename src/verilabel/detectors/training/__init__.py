"""How the shipped weights were made: deterministic recipes over public labelled answers. Needs scikit-learn."""
