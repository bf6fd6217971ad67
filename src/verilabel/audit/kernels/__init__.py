"""Compiled loops over the bytes and words of a batch; they let go of the interpreter's lock."""
