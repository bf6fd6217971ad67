"""Bug repair: a small program that does not do what it says, and its input; the answer is what a right one prints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from verilabel.suites.worlds.chance import Chance
from verilabel.suites.worlds.puzzles.puzzle import Puzzle

Numbers = list[int]
MODULUS = 1_000_003


@dataclass(frozen=True, slots=True)
class Broken:
    """A program with a place for its bug: what it should do, its text with `BUG`, the right piece and the wrong one."""

    says: str
    program: str
    right: str
    wrong: str
    truth: Callable[[Numbers, int], int]
    """What it should print for numbers and a parameter, by our own reckoning."""


def _merge(numbers: Numbers, _: int) -> int:
    pairs = sorted((min(a, b), max(a, b)) for a, b in zip(numbers[::2], numbers[1::2], strict=False))
    covered, end = 0, -1
    for low, high in pairs:
        covered += max(0, high - max(low, end + 1) + 1)
        end = max(end, high)
    return covered


def _runs(numbers: Numbers, _: int) -> int:
    total, start = 0, 0
    for i in range(1, len(numbers) + 1):
        if i == len(numbers) or numbers[i] % 2 != numbers[start] % 2:
            total += (i - start) ** 2 * (1 + numbers[start] % 2)
            start = i
    return total


def _windows(numbers: Numbers, width: int) -> int:
    return sum(max(numbers[i : i + width]) for i in range(len(numbers) - width + 1))


def _checksum(numbers: Numbers, factor: int) -> int:
    value = 7
    for number in numbers:
        value = (value * factor + number) % MODULUS
    return value


def _inversions(numbers: Numbers, _: int) -> int:
    return sum(a > b for i, a in enumerate(numbers) for b in numbers[i + 1 :])


def _median_sum(numbers: Numbers, width: int) -> int:
    return sum(sorted(numbers[i : i + width])[width // 2] for i in range(0, len(numbers) - width + 1, width))


def _middle_sum(numbers: Numbers, width: int) -> int:
    """What the program for medians prints as it stands."""
    return sum(numbers[i + width // 2] for i in range(0, len(numbers) - width + 1, width))


BROKEN = {
    "merge": Broken(
        says=(
            "It should read the numbers in pairs as intervals of whole numbers (either end may come first; both ends "
            "belong to it) and print how many whole numbers lie in at least one interval. A last number without a "
            "partner is left out."
        ),
        program="""\
pairs = sorted((min(a, b), max(a, b)) for a, b in zip(numbers[::2], numbers[1::2]))
covered, end = 0, -1
for low, high in pairs:
    if high > end:
        covered += high - max(low, end + 1) + 1
    BUG
print(covered)
""",
        right="end = max(end, high)",
        wrong="end = high",
        truth=_merge,
    ),
    "runs": Broken(
        says=(
            "It should cut the numbers into longest runs of even and of odd ones, and print the sum over all runs of "
            "the squared length, counted twice for odd runs."
        ),
        program="""\
total, length = 0, 1
for before, number in zip(numbers, numbers[1:]):
    if before % 2 == number % 2:
        length += 1
    else:
        total += length ** 2 * (1 + before % 2)
        length = 1
BUG
print(total)
""",
        right="total += length ** 2 * (1 + numbers[-1] % 2)",
        wrong="total += 0",
        truth=_runs,
    ),
    "windows": Broken(
        says="It should print the sum of the maxima of all windows of WIDTH neighbouring numbers.",
        program="""\
total = 0
for start in range(BUG):
    total += max(numbers[start:start + parameter])
print(total)
""",
        right="len(numbers) - parameter + 1",
        wrong="len(numbers) - parameter",
        truth=_windows,
    ),
    "checksum": Broken(
        says=(
            "It should begin with 7, and for each number in turn multiply by PARAMETER, add the number, and keep the "
            f"remainder modulo {MODULUS}; at the end it prints what it has."
        ),
        program="""\
value = 7
for number in numbers:
    value = BUG
print(value)
""",
        right=f"(value * parameter + number) % {MODULUS}",
        wrong=f"value * parameter + number % {MODULUS} % parameter",
        truth=_checksum,
    ),
    "inversions": Broken(
        says="It should print how many pairs of numbers stand in the wrong order: the earlier one is strictly larger.",
        program="""\
count = 0
for i in range(len(numbers)):
    for j in range(i + 1, len(numbers)):
        if BUG:
            count += 1
print(count)
""",
        right="numbers[i] > numbers[j]",
        wrong="numbers[i] >= numbers[j]",
        truth=_inversions,
    ),
    "medians": Broken(
        says=(
            "It should cut the numbers into blocks of WIDTH from the left, leave an incomplete last block out, and "
            "print the sum of the blocks' medians. WIDTH is odd."
        ),
        program="""\
total = 0
for start in range(0, len(numbers) - parameter + 1, parameter):
    block = BUG
    total += block[parameter // 2]
print(total)
""",
        right="sorted(numbers[start:start + parameter])",
        wrong="numbers[start:start + parameter]",
        truth=_median_sum,
    ),
}
_READING = """\
lines = open("input.txt").read().split()
parameter, numbers = int(lines[0]), [int(word) for word in lines[1:]]
"""


def _draw_intervals(chance: Chance) -> Numbers:
    """Ends of intervals, among them a long one that holds a short one and is left by a third."""
    low = chance.between(20_000, 30_000)
    pairs = [(low, low + 900), (low + 10, low + 50), (low + 100, low + chance.between(901, 999))]
    for _ in range(chance.between(25, 40)):
        start = chance.between(0, 19_000)
        pairs.append((start, start + chance.between(0, 800)))
    mixed = [pair if chance.below(2) else pair[::-1] for pair in chance.shuffled(pairs)]
    return [number for pair in mixed for number in pair]


def draw_repair(chance: Chance) -> Puzzle:
    """A broken program and an input on which it prints something else than it should."""
    kind = chance.choose(sorted(BROKEN))
    broken, parameter = BROKEN[kind], 2 * chance.between(2, 4) + 1
    numbers = [chance.between(0, 199) for _ in range(chance.between(60, 90))]
    if kind == "merge":
        numbers = _draw_intervals(chance)
    while kind == "medians" and _middle_sum(numbers, parameter) == broken.truth(numbers, parameter):
        numbers = chance.shuffled(numbers)
    program = _READING + broken.program
    says = broken.says.replace("WIDTH", str(parameter)).replace("PARAMETER", str(parameter))
    return Puzzle(
        kind="repair",
        task=(
            f"The file program.py reads input.txt: first a parameter ({parameter}), then numbers. It has a bug. "
            f"{says} The answer is what it prints for this input.txt once it is repaired."
        ),
        files={
            "program.py": program.replace("BUG", broken.wrong),
            "input.txt": f"{parameter}\n" + " ".join(map(str, numbers)) + "\n",
        },
        answer=str(broken.truth(numbers, parameter)),
        solution=program.replace("BUG", broken.right),
    )
