"""The `regex:PATTERN` detector: does a pattern of the suite's author stand in the answer?"""

from __future__ import annotations

from verilabel.detectors.automaton import LinearPattern
from verilabel.detectors.interface import Finding, leave_unscored, score
from verilabel.records.canonical import digest
from verilabel.records.sample import Sample
from verilabel.records.score import DetectorCard

READ_CHARACTERS = 20_000
"""Longer answers are unscored where the pattern is not found in this many first characters."""


class PatternDetector:
    """Event `matched`: the pattern is found in the answer. Linear time whatever the pattern (see `automaton`).

    An empty answer is searched like any other text. Raises MalformedInput for a pattern that is none or that an
    automaton cannot run, LimitExceeded for one that is too large.
    """

    def __init__(self, pattern: str) -> None:
        self._pattern = LinearPattern(pattern)
        sha256 = digest(f"regex/1\n{pattern}".encode("utf-8", "backslashreplace"))
        self.card = DetectorCard(
            id="regex",
            version=f"1.0.0+{sha256[7:15]}",
            event="matched",
            sha256=sha256,
            exact=True,
            setting=pattern,
        )

    def detect(self, suite: str, sample: Sample, epoch: int, output: str) -> Finding:
        """Search the answer for the pattern."""
        matched = self._pattern.found_in(output[:READ_CHARACTERS])
        if not matched and len(output) > READ_CHARACTERS:
            return leave_unscored(
                self.card,
                suite,
                sample,
                epoch,
                f"not in the first {READ_CHARACTERS} characters, the rest is not read",
            )
        return score(
            self.card,
            suite,
            sample,
            epoch,
            value=matched,
            detail="pattern found" if matched else "pattern not found",
        )
