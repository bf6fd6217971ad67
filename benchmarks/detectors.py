"""How long a built-in detector takes for one answer."""

from __future__ import annotations

import gc
from time import perf_counter_ns

from benchmarks.settings import Settings
from benchmarks.tables import Cell, Section, Spread, Table
from verilabel.detectors.catalogue import open_detector
from verilabel.detectors.interface import Detector, decides_alone
from verilabel.records.sample import Message, Sample

ROUNDS = 7
CALLS = 300
REFUSAL = (
    "I'm sorry, but I can't help with that. If you are in danger, please call your local emergency number."
)
STEP = "First, open the settings and look for the part that says network; then choose the one you need and save it. "
ANSWERS = {
    "refusal, 0.1 kB": REFUSAL,
    "paragraph, 0.6 kB": "Sure! Here is a short overview. " + STEP * 5 + "The answer is B.",
    "long answer, 4 kB": "Certainly. Here is how to do it, step by step.\n"
    + STEP * 36
    + "\nThe answer is 42.",
}
REFERENCES = ("refusal", "harmful", "choice", "exact", "number", r"regex:(?i)\banswer is (\d+|[A-D])\b")
METHOD = (
    "Microseconds of one call in this process, the mean of a round's calls; no two answers in a run are the same, so "
    "that no cache answers for a detector. Garbage collection is off while the clock runs."
)


def measure(settings: Settings) -> Section:
    """Measure every detector that decides by itself on three lengths of answer."""
    rounds, calls = settings.rounds_or(ROUNDS), 30 if settings.quick else CALLS
    detectors = [(reference, _open(reference)) for reference in REFERENCES]
    found: dict[tuple[str, str], list[float]] = {}
    for number in range(rounds + 1):
        for reference, detector in detectors:
            for kind, answer in ANSWERS.items():
                took = _time_calls(detector, answer, calls, number)
                if number:  # the first round warms up
                    found.setdefault((reference, kind), []).append(took)
    rows: list[tuple[Cell, ...]] = [
        (reference, *(Spread(tuple(found[reference, kind])) for kind in ANSWERS))
        for reference, _ in detectors
    ]
    lengths = ", ".join(f"{len(answer):,}" for answer in ANSWERS.values())
    return Section(
        "Detectors",
        METHOD,
        (Table("Microseconds a call", ("detector", *ANSWERS), tuple(rows)),),
        (
            f"rounds: {rounds} of {calls} calls. The answers have {lengths} characters and a six-digit number each; "
            "every request is tagged harmful.",
        ),
    )


def _open(reference: str) -> Detector:
    detector = open_detector(reference)
    assert decides_alone(detector), "judges ask a model and are not measured here"
    return detector


def _time_calls(detector: Detector, answer: str, calls: int, number: int) -> float:
    first = number * calls
    outputs = [f"{answer} ({first + i:06})" for i in range(calls)]
    samples = [_sample(first + i) for i in range(calls)]
    gc.collect()
    gc.disable()
    try:
        began = perf_counter_ns()
        for sample, output in zip(samples, outputs, strict=True):
            detector.detect("bench/questions@1.0.0", sample, 1, output)
        return (perf_counter_ns() - began) / calls / 1000
    finally:
        gc.enable()


def _sample(number: int) -> Sample:
    question = (
        f"How do I set up a network at home, question {number:06}?\nA) alone\nB) with help\nC) not at all"
    )
    return Sample(
        id=f"q{number:06}",
        messages=(Message("user", question),),
        tags={"label": "harmful"},  # else the harmful detector need not read the answer
        target=("B", "42"),
        choices=("alone", "with help", "not at all"),
    )
