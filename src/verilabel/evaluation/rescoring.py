"""A bundle's answers looked at again: were the suites' own questions asked, and do outputs and scores follow?

Verification derives the label from the scores; this derives the scores from the exchanges. Line by line, for every
record under the Merkle root:

1. the samples that a suite's index lists are the suite's own, and the detectors' error rates those that ship with them;
2. each request of the system asks the suite's sample, with the system's prompt and parameters, and nothing else;
3. each answer's text is what the response body says, and no failed attempt hides an answer; an agent's episode is
   played again, event by event (`agents.replaying`);
4. each score is what its detector, with the plan's own rules, says of that text;
5. each judge was asked the question that its rules make of the answer, and its verdict is what its reply says.

Withheld records are counted as unchecked, but for those whose openings are at hand (`evidence.sealed.opening`).

What this cannot show is that a response came from the model: for that there is replication.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from verilabel.detectors.interface import AskingDetector, Detector, Finding, asks_a_model, decides_alone
from verilabel.evaluation.agents.containing import read_enclosed
from verilabel.evaluation.agents.environments import environments_of
from verilabel.evaluation.agents.replaying import Setting, check_episode, count_hidden_answers
from verilabel.evaluation.agents.settings import model_params
from verilabel.evaluation.finding import find_detectors, find_suites, has_same_rules, is_task_of_inspect
from verilabel.evaluation.inspect_backend.suite import is_inspect_suite
from verilabel.evaluation.inspect_backend.wire import InspectWire
from verilabel.evaluation.system_prompt import SystemPromptText
from verilabel.evaluation.wire import Wire, find_difference, wires_of
from verilabel.evidence.container import Container
from verilabel.evidence.layout import CONTAINMENT, EVIDENCE, suite_files
from verilabel.evidence.lines import EvidenceLine
from verilabel.evidence.reading import evidence_lines, read_indexes, read_system
from verilabel.models.interface import ModelRequest
from verilabel.models.statuses import failure_of_status
from verilabel.records.attempt import Attempt, Failure, response_body
from verilabel.records.plan import Plan
from verilabel.records.sample import Message, Sample
from verilabel.records.score import Scored, Unscored
from verilabel.records.withheld import REASON, SealedAttempt, withhold_finding
from verilabel.suites.loading import Suite

FIRST_MISMATCHES = 10
INTERRUPTED = ("timeout", "truncated")
"""Failures after which a whole answer may stand in the body: it came too late, or the connection broke behind it."""
KINDS = ("index entries", "detectors", "requests", "answers", "failures", "scores", "verdicts")
"""What is checked, in the order in which it is told."""
Key = tuple[str, str, int]


class Mismatch(msgspec.Struct, frozen=True):
    """A place where the evidence does not hold together."""

    where: str
    """File and line of the bundle."""
    sample: str
    what: str


class Unchecked(msgspec.Struct, frozen=True):
    """Records that could not be checked, and why."""

    kind: str
    reason: str
    count: int


class Rescoring(msgspec.Struct, frozen=True):
    """What came of looking at every record again."""

    checked: dict[str, int]
    """One of `KINDS` to how many were checked."""
    unchecked: tuple[Unchecked, ...]
    mismatches: int
    first: tuple[Mismatch, ...]
    """The first of the mismatches, in the order of the evidence."""

    @property
    def whole(self) -> bool:
        """True if no index, request, answer, score or verdict was left out."""
        return all(item.kind == "failures" for item in self.unchecked)


@dataclass
class _Answer:
    """What has been read of one answer so far."""

    key: Key
    sample: Sample | None
    output: str | None = None
    withheld: bool = False
    """True where its attempts are commitments, so that its findings were cleared of words."""
    opened: bool = True
    judged: dict[str, list[tuple[int, Attempt]]] = field(default_factory=dict)
    """A judge's name to its attempts, with their lines."""


def rescore_bundle(
    container: Container,
    plan: Plan,
    suites: Mapping[str, Suite],
    detectors: Mapping[str, Detector | AskingDetector],
    *,
    opened: Mapping[int, Attempt] | None = None,
) -> Rescoring:
    """Derive the scores of a bundle again from its recorded exchanges, in one pass over its evidence.

    `suites` maps `id@version` to the suites at hand, `detectors` the same to open detectors (see `find_suites`,
    `find_detectors`). What does not hold is a value of the result; what is neither there nor of the plan's digest is
    counted as unchecked. `opened` maps lines of the evidence to withheld attempts that were opened and held against
    their commitments (`evidence.sealed.opening.check_opened`). Raises MalformedInput where a file cannot be read.
    """
    work = Rescorer(container, plan, suites, detectors, opened or {})
    work.check_indexes()
    work.check_cards()
    for number, record in enumerate(evidence_lines(container), 1):
        work.check(number, record)
    return work.result()


IMPORTED = "imported: another tool wrote down what it asked and got"


class Rescorer:
    """One walk over a bundle's evidence; `rescore_bundle` takes all of it."""

    def __init__(
        self,
        container: Container,
        plan: Plan,
        suites: Mapping[str, Suite],
        detectors: Mapping[str, Detector | AskingDetector],
        opened: Mapping[int, Attempt],
    ) -> None:
        self._opened = opened
        self._container = container
        self._plan = plan
        self._suites = {
            stream.suite: suites[stream.suite]
            for stream in plan.streams
            if stream.suite in suites and suites[stream.suite].digest == stream.suite_sha256
        }
        self._samples = {
            name: {sample.id: sample for sample in suite.samples} for name, suite in self._suites.items()
        }
        cards = {card.name: card for card in plan.detectors}
        self._detectors = {
            name: detector
            for name, detector in detectors.items()
            if name in cards and has_same_rules(detector.card, cards[name])
        }
        self._cards = cards
        self._system = read_system(container)
        self._wires: tuple[Wire, ...] = wires_of(self._system.provider_model)
        self._wires_of: dict[str, tuple[Wire, ...]] = {
            name: (InspectWire(suite, self._system.provider_model),)
            for name, suite in self._suites.items()
            if is_inspect_suite(suite)
        }
        self._prompt = SystemPromptText(container, self._system)
        self._environments = environments_of(self._suites.values())
        self._places = {
            (name, sample.id): place
            for name in self._environments
            for place, sample in enumerate(self._suites[name].samples)
        }
        self._answer = _Answer(("", "", 0), None)
        self._checked: Counter[str] = Counter()
        self._unchecked: Counter[tuple[str, str]] = Counter()
        self._first: list[Mismatch] = []
        self._mismatches = 0
        self._attestation, objection = read_enclosed(container)
        if objection is not None:
            self._note(CONTAINMENT, "", objection)

    def result(self) -> Rescoring:
        """What came of it."""
        unchecked = [
            Unchecked(kind, reason, count) for (kind, reason), count in sorted(self._unchecked.items())
        ]
        checked = {kind: self._checked[kind] for kind in KINDS if self._checked[kind]}
        return Rescoring(checked, tuple(unchecked), self._mismatches, tuple(self._first))

    def check_indexes(self) -> None:
        """Step 1: families, strata and tags decide what is counted, so they must be the suite's own."""
        for name, listed in read_indexes(self._container, self._plan).items():
            if name not in self._suites:
                self._unchecked["index entries", self._no_data(name)] += len(listed)
                continue
            own = {entry.id: entry for entry in self._suites[name].entries}
            _, path = suite_files(name)
            for number, entry in enumerate(listed, 1):
                self._checked["index entries"] += 1
                if own.pop(entry.id, None) != entry:
                    self._note(f"{path}:{number}", entry.id, "the index entry is not the suite's sample")
            for missing in own:
                self._note(path, missing, "the suite has a sample that the index does not list")

    def check_cards(self) -> None:
        """Step 1: measured errors widen the bounds, so flattering ones would make a better label."""
        for name, card in self._cards.items():
            detector = self._detectors.get(name)
            if detector is None:
                self._unchecked[
                    "detectors", f"{_quote(name)} is not a detector of this program, by these rules"
                ] += 1
            elif detector.card.errors != card.errors:
                reason = f"{_quote(name)}: the plan states other measured errors than ship with it"
                self._unchecked["detectors", reason] += 1
            else:
                self._checked["detectors"] += 1

    @property
    def doubts(self) -> tuple[int, int]:
        """Mismatches so far, and records that could not be checked although that was called for."""
        unchecked = sum(n for (kind, _), n in self._unchecked.items() if kind != "failures")
        return self._mismatches, unchecked

    def check(self, number: int, record: EvidenceLine) -> None:
        """Steps 2 to 5 for one line."""
        key = (record.suite, record.sample, record.epoch)
        if key != self._answer.key:
            self._answer = _Answer(key, self._samples.get(record.suite, {}).get(record.sample))
        if isinstance(record, SealedAttempt):
            self._answer.withheld = True
            opened = self._opened.get(number)
            if opened is None:
                self._answer.opened = False
                self._unchecked["answers", REASON] += 1  # a failure, too, may hide an answer
                return
            record = opened
        if not isinstance(record, Attempt):
            self._check_score(number, record)
        elif record.judge is None:
            self._check_exchange(number, record)
            self._answer.output = record.output
        else:
            self._answer.judged.setdefault(record.judge, []).append((number, record))

    # -- 2 and 3 -----------------------------------------------------------------------------------------------

    def _check_exchange(self, number: int, attempt: Attempt) -> None:
        if self._plan.imported is None and attempt.suite in self._environments:
            self._check_episode(number, attempt)
        elif (
            self._plan.imported is None
            and is_task_of_inspect(attempt.suite)
            and attempt.suite not in self._suites
        ):
            for kind in ("requests", "answers"):
                self._unchecked[kind, self._no_data(attempt.suite)] += 1
        elif self._plan.imported is None:
            self._check_response(number, attempt, self._check_request(number, attempt))
        else:  # another tool's words for what it asked and got; the bytes of the exchange were never here
            self._unchecked["answers", IMPORTED] += 1

    def _check_episode(self, number: int, attempt: Attempt) -> None:
        """Steps 2 and 3 for an agent's episode."""
        sample = self._answer.sample
        if sample is None:
            self._note_no_sample("requests", number, attempt.suite)
            return
        if attempt.failure is not None and not (attempt.response or attempt.response_base64):
            self._unchecked["failures", "no response body was kept"] += 1
            return
        self._checked["requests"] += 1
        self._checked["answers" if attempt.failure is None else "failures"] += 1
        messages = self._messages_of(attempt, sample)
        if messages is None:
            self._note_line(number, "the request lacks the system prompt that the descriptor binds")
            return
        setting = Setting(
            environment=self._environments[attempt.suite],
            sample=sample,
            place=self._places[attempt.suite, sample.id],
            system=self._system,
            messages=messages,
            attestation=self._attestation,
        )
        for what in check_episode(attempt, setting):
            self._note_line(number, what)
        if hidden := count_hidden_answers(attempt, self._system):
            self._unchecked["answers", "a whole answer came with a failure within an episode"] += hidden

    def _messages_of(self, attempt: Attempt, sample: Sample) -> tuple[Message, ...] | None:
        """What the sample asks, after the system's prompt; None where the system has one that is not to be found."""
        if self._system.system_prompt is None:
            return sample.messages
        text = self._prompt.find(attempt.request, sample)
        return None if text is None else (Message("system", text), *sample.messages)

    def _check_request(self, number: int, attempt: Attempt) -> tuple[Wire, ...]:
        """Step 2; returns the wires by which the response may be read."""
        sample, wires = self._answer.sample, self._wires_of.get(attempt.suite, self._wires)
        if sample is None:
            self._note_no_sample("requests", number, attempt.suite)
            return wires
        self._checked["requests"] += 1
        messages = self._messages_of(attempt, sample)
        if messages is None:
            self._note_line(number, "the request lacks the system prompt that the descriptor binds")
            return wires
        params = model_params(self._system.params)
        request = ModelRequest(*self._answer.key, messages=messages, params=params)
        wire, difference = find_difference(wires, attempt.request, request)
        if difference is not None:
            self._note_line(number, f"the request is not the sample's: {difference}")
        return (wire,)

    def _check_response(self, number: int, attempt: Attempt, wires: tuple[Wire, ...]) -> None:
        try:
            body = response_body(attempt)
        except ValueError:
            self._note_line(number, "the response body is not base64")
            return
        if attempt.output is None:
            self._check_failure(number, attempt, body, wires)
            return
        self._checked["answers"] += 1
        if body is None:
            self._note_line(number, "an answer without the response it was read from")
            return
        differing = [_unlike_fields(attempt, wire.read(attempt.request, body), wire) for wire in wires]
        if all(differing):
            what = ", ".join(differing[0])
            self._note_line(number, f"the response does not say what the record says: {what}")

    def _check_failure(
        self, number: int, attempt: Attempt, body: bytes | None, wires: tuple[Wire, ...]
    ) -> None:
        """A failure that hides an answer lets an issuer ask until the answer pleases."""
        status, failure = attempt.status, attempt.failure
        if not body or failure is None:
            self._unchecked["failures", "no response body was kept"] += 1
            return
        readings = [wire.read(attempt.request, body) for wire in wires]
        refused_status = status is not None and 200 < status < 400
        if not all(isinstance(said, Failure) for said in readings):
            if failure.kind in INTERRUPTED or refused_status:
                self._unchecked["answers", f"a whole answer came with the failure {failure.kind!r}"] += 1
            else:
                self._checked["failures"] += 1
                self._note_line(
                    number, f"the response holds an answer, the record a failure ({_quote(failure.kind)})"
                )
        elif failure.kind in INTERRUPTED or status is None:
            self._unchecked["failures", "only a part of a response, or no status, was kept"] += 1
        else:
            self._checked["failures"] += 1
            by_status = failure_of_status(status, body)
            derived = [by_status] if by_status else [said for said in readings if isinstance(said, Failure)]
            if (failure.kind, failure.retryable) not in [(said.kind, said.retryable) for said in derived]:
                what = f"the response means {derived[0].kind!r}, the record says {failure.kind!r}"
                self._note_line(number, what)

    # -- 4 and 5 -----------------------------------------------------------------------------------------------

    def _check_score(self, number: int, score: Scored | Unscored) -> None:
        detector = self._detectors.get(score.detector)
        judged = self._answer.judged.pop(score.detector, [])
        kind = "verdicts" if judged or (detector is not None and asks_a_model(detector)) else "scores"
        if detector is None:
            self._unchecked[
                kind, f"{_quote(score.detector)} is not a detector of this program, by these rules"
            ] += 1
            return
        if not self._answer.opened:
            self._unchecked[kind, REASON] += 1
            return
        if self._answer.sample is None:
            self._note_no_sample(kind, number, score.suite)
            return
        self._checked[kind] += 1
        if self._answer.output is None:
            self._note_line(number, "a score without an answer")
        elif asks_a_model(detector):
            self._check_verdict(number, score, detector, judged)
        elif decides_alone(detector):
            finding = detector.detect(score.suite, self._answer.sample, score.epoch, self._answer.output)
            self._compare(number, score, finding)

    def _check_verdict(
        self,
        number: int,
        score: Scored | Unscored,
        detector: AskingDetector,
        judged: Sequence[tuple[int, Attempt]],
    ) -> None:
        """Run the judge's own code again, with its recorded reply in the judge model's place."""
        assert self._answer.sample is not None and self._answer.output is not None, "the caller looked"
        asked: list[tuple[Message, ...]] = []

        async def ask(messages: tuple[Message, ...]) -> Attempt:
            asked.append(messages)
            return judged[-1][1] if judged else _NEVER_ASKED

        finding = _run_to_end(
            detector.detect_by_asking(score.suite, self._answer.sample, score.epoch, self._answer.output, ask)
        )
        if asked and not judged:
            self._note_line(number, "a verdict without the judge's reply")
            return
        wires = wires_of(detector.model, is_address=True)
        for line, attempt in judged:
            if not asked:
                self._note_line(line, "the judge was asked where its rules ask nothing")
                continue
            request = ModelRequest(*self._answer.key, messages=asked[-1], params=detector.params)
            wire, difference = find_difference(wires, attempt.request, request)
            if difference is not None:
                self._note_line(line, f"the request is not what the judge is to be asked: {difference}")
            self._checked["requests"] += 1
            self._check_response(line, attempt, (wire,))
        answered = sum(attempt.output is not None for _, attempt in judged)
        if answered > 1:
            self._unchecked["verdicts", "the judge was asked again after it had answered"] += answered - 1
        self._compare(number, score, finding)

    def _compare(self, number: int, score: Scored | Unscored, finding: Finding) -> None:
        if self._answer.withheld:
            finding = withhold_finding(finding)
        if finding == score:
            return
        recorded, derived = _verdict_of(score), _verdict_of(finding)
        what = f"the record says {recorded}, its detector says {derived}"
        self._note_line(number, what if recorded != derived else "the detector gives another reason")

    # -- noting ------------------------------------------------------------------------------------------------

    def _note_no_sample(self, kind: str, number: int, suite: str) -> None:
        if suite in self._suites:
            self._checked[kind] += 1
            self._note_line(number, "the suite has no such sample")
        else:
            self._unchecked[kind, self._no_data(suite)] += 1

    def _no_data(self, suite: str) -> str:
        return f"the data of {_quote(suite)} is not at hand"

    def _note_line(self, number: int, what: str) -> None:
        self._note(f"{EVIDENCE}:{number}", self._answer.key[1], what)

    def _note(self, where: str, sample: str, what: str) -> None:
        self._mismatches += 1
        if len(self._first) < FIRST_MISMATCHES:
            self._first.append(Mismatch(where, sample, what))


_NEVER_ASKED = Attempt("", "", 0, 0, "", failure=Failure("missing", "no reply is recorded"))


def _unlike_fields(attempt: Attempt, said: object, wire: Wire) -> tuple[str, ...]:
    if isinstance(said, Failure):
        return (f"it holds no answer ({said.kind})",)
    return tuple(name for name in wire.read_fields if getattr(attempt, name) != getattr(said, name))


def _verdict_of(finding: Finding) -> str:
    """A finding in words, without its reason, which may repeat the answer."""
    if isinstance(finding, Unscored):
        return "unscored"
    return f"{_quote(finding.event)} is {'true' if finding.value else 'false'}"


def _quote(name: str) -> str:
    """A name that the bundle chose, so that it cannot command a terminal."""
    return repr(name[:80])


def _run_to_end(finding: Coroutine[Any, Any, Finding]) -> Finding:
    """Run a coroutine that has nothing to wait for, as every reply is recorded."""
    try:
        finding.send(None)
    except StopIteration as done:
        result: Finding = done.value
        return result
    finding.close()
    raise AssertionError("a judge waited for something beside its reply")


__all__ = [
    "KINDS",
    "Mismatch",
    "Rescorer",
    "Rescoring",
    "Unchecked",
    "find_detectors",
    "find_suites",
    "has_same_rules",
    "rescore_bundle",
]
