"""What a puzzle is: a task, files, the answer, and a program of our own that finds it from the files alone."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Puzzle:
    """One puzzle. `solution` is a Python program that reads the files in its work folder and prints the answer."""

    kind: str
    task: str
    files: dict[str, str]
    answer: str
    solution: str
