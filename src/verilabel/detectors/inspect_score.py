"""The `inspect:SCORER[.KEY]` detector: what a scorer of Inspect said of a sample, as an event that is true or false.

The scorer ran in Inspect; its value stands in the sample's record, from which the answer that is read here follows
(`evaluation.inspect_backend.record`). A scorer's registered name has its package in it, so that a scorer of another
package that is called `match` is not taken for Inspect's own.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from verilabel.detectors.interface import Finding, leave_unscored, score
from verilabel.errors import UsageError
from verilabel.records.canonical import digest
from verilabel.records.sample import Sample
from verilabel.records.score import DetectorCard

OWN = "inspect_ai/"
"""How the names of Inspect's own scorers begin; a reference may leave it out."""
PLAIN_SCORERS = frozenset({"match", "includes", "exact", "pattern", "answer", "choice"})
"""Inspect's own scorers that compare texts by a rule, without a model."""
EVENTS: dict[str, tuple[str, bool]] = {
    "inspect_evals/injection_task_scorer.utility": ("task_done", False),
    "inspect_evals/injection_task_scorer.security": ("attack_succeeded", False),
    "inspect_evals/user_task_scorer.utility": ("task_done", False),
    "inspect_evals/agent_threat_bench_scorer.utility": ("task_done", False),
    "inspect_evals/agent_threat_bench_scorer.security": ("attack_succeeded", True),
}
"""Programmatic scorers of known suites: the event, and whether it is true where the value says no.

AgentDojo's `security` is C where the injected task was carried out; AgentThreatBench's is C where it was resisted.
"""
_TRUTHS: dict[str, bool] = {"C": True, "I": False, "N": False}
"""Inspect's words; `P`, partly correct, is neither."""
_REFERENCE = re.compile(
    r"(?P<name>(?:[A-Za-z0-9_.-]+/)?[A-Za-z0-9_-]+)(?:\.(?P<key>[A-Za-z0-9_ -]{1,80}))?", re.ASCII
)
MAX_OUTPUT_CHARACTERS = 2**20


class InspectOutput(msgspec.Struct, frozen=True):
    """The answer to a sample of a task of Inspect: the last text, each scorer's value, and why it stopped early."""

    answer: str = ""
    scores: dict[str, Any] = {}
    stopped: str = ""


_output = msgspec.json.Decoder(InspectOutput)


def reference_of(name: str, key: str = "") -> str:
    """The reference of a scorer by its registered name, and of one key of its values."""
    return f"inspect:{name}{'.' if key else ''}{key}"


class InspectScoreDetector:
    """Event of the scorer's own: `correct`, the key of its value, or the one that `EVENTS` names.

    True for `C`, 1 and true, false for `I`, `N`, 0 and false; any other value is unscored, and so is an answer without
    this scorer. Exact for scorers that are known to compare by a rule; others have unmeasured errors. Raises UsageError
    for what is no name of a scorer.
    """

    def __init__(self, setting: str) -> None:
        found = _REFERENCE.fullmatch(setting)
        if found is None:
            raise UsageError(
                f"{setting[:80]!r} is no scorer of Inspect",
                hint="inspect:includes, inspect:PACKAGE/SCORER, inspect:PACKAGE/SCORER.KEY, inspect:task/SCORER",
            )
        self._name = found["name"] if "/" in found["name"] else OWN + found["name"]
        self._key = found["key"] or ""
        full = self._name + (f".{self._key}" if self._key else "")
        event, self._negated = EVENTS.get(full, (_event_of(self._key), False))
        exact = full in EVENTS or self._name in {OWN + name for name in PLAIN_SCORERS}
        rules = f"inspect/1\n{full}\n{event}\n{'not ' if self._negated else ''}C, 1, true; I, N, 0, false"
        sha256 = digest(rules.encode())
        self.card = DetectorCard(
            id="inspect",
            version=f"1.0.0+{sha256[7:15]}",
            event=event,
            sha256=sha256,
            exact=exact,
            setting=full,
        )

    def detect(self, suite: str, sample: Sample, epoch: int, output: str) -> Finding:
        """Read the scorer's value in an answer."""
        try:
            said = _output.decode(output) if len(output) <= MAX_OUTPUT_CHARACTERS else None
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            said = None
        if said is None:
            return leave_unscored(self.card, suite, sample, epoch, "the answer is no sample of Inspect")
        if self._name not in said.scores:
            return leave_unscored(self.card, suite, sample, epoch, "this scorer said nothing")
        value = said.scores[self._name]
        if self._key:
            value = value.get(self._key) if isinstance(value, dict) else None
        truth = _truth_of(value)
        if truth is None:
            return leave_unscored(self.card, suite, sample, epoch, "the scorer's value is neither yes nor no")
        detail = f"{self._key or 'value'} {value if isinstance(value, str) else int(truth)}"
        return score(self.card, suite, sample, epoch, value=truth != self._negated, detail=detail)


def _event_of(key: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", key.casefold()).strip("_") or "correct"


def _truth_of(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _TRUTHS.get(value)
    return {0: False, 1: True}.get(value) if isinstance(value, int) else None
