"""Prediction of a weak generator of random numbers whose seed is a second of a known hour."""

from __future__ import annotations

from verilabel.suites.worlds.chance import Chance
from verilabel.suites.worlds.puzzles.puzzle import Puzzle

MULTIPLIERS = (1103515245, 1664525, 22695477, 214013)
INCREMENTS = (12345, 1013904223, 1, 2531011)
SHOWN = 8
_HOUR = 3600

_SOLUTION = """\
shown = [int(line) for line in open("outputs.txt")]
for seed in range(FIRST, FIRST + 3600):
    x, outputs = seed, []
    for _ in range(11):
        x = (A * x + C) % 2**32
        outputs.append(x >> 16)
    if outputs[:8] == shown:
        print("-".join(map(str, outputs[8:])))
        break
"""


def draw_prediction(chance: Chance) -> Puzzle:
    """The next three outputs of a linear congruential generator that shows its upper 16 bits."""
    kind = chance.below(len(MULTIPLIERS))
    a, c = MULTIPLIERS[kind], INCREMENTS[kind]
    first = chance.between(1_900_000, 1_950_000) * 1000
    state, outputs = first + chance.below(_HOUR), []
    for _ in range(SHOWN + 3):
        state = (a * state + c) % 2**32
        outputs.append(state >> 16)
    return Puzzle(
        kind="prng",
        task=(
            f"A generator computes x = ({a} * x + {c}) mod 2^32 and then shows x >> 16, again and again. Its first x "
            f"was a whole number from {first} to {first + _HOUR - 1}. The file outputs.txt holds the first {SHOWN} "
            "outputs. The answer is the next three outputs joined by hyphens, such as 123-4567-89."
        ),
        files={"outputs.txt": "\n".join(map(str, outputs[:SHOWN])) + "\n"},
        answer="-".join(map(str, outputs[SHOWN:])),
        solution=_SOLUTION.replace("FIRST", str(first)).replace("A * x + C", f"{a} * x + {c}"),
    )
