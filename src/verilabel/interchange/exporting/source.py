"""A bundle opened for exporting: verified first, refused where it fails, then read in its committed order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from verilabel.errors import SealError, UsageError
from verilabel.evidence.container import Container, open_container
from verilabel.evidence.counting import matches
from verilabel.evidence.envelope import open_envelope
from verilabel.evidence.keys import parse_public_file
from verilabel.evidence.layout import ATTESTATION, MANIFEST, RUBRIC, SIGNER_KEY, suite_files
from verilabel.evidence.manifest import parse_manifest
from verilabel.evidence.plan_checks import FindCard, FindSuite
from verilabel.evidence.reading import read_document, read_indexes, read_measures
from verilabel.evidence.statement import Statement, parse_statement
from verilabel.evidence.trust import TrustPolicy
from verilabel.evidence.verification import Verification
from verilabel.evidence.verifier import verify_bundle
from verilabel.interchange.exporting.answers import Answer, read_answers
from verilabel.records.canonical import digest
from verilabel.records.label import Label
from verilabel.records.plan import MeasurePlan, Plan, StreamPlan, ordered_ids
from verilabel.records.sample import SampleEntry
from verilabel.records.strict_yaml import load_strict_yaml
from verilabel.records.system import SystemDescriptor
from verilabel.rubric.model import load_rubric
from verilabel.rubric.structure import Measure, Rubric
from verilabel.suites.format import Manifest
from verilabel.suites.format import parse_manifest as parse_suite_file


@dataclass(frozen=True)
class Source:
    """A bundle that verified, and what an exporter reads of it. `verified_at` is the moment of the verification."""

    container: Container
    found: Verification
    label: Label
    system: SystemDescriptor
    plan: Plan
    rubric: Rubric
    statement: Statement | None
    """None for a bundle that nobody signed."""
    statement_sha256: str | None
    verified_at: datetime

    @property
    def issued(self) -> str:
        """When the label was signed, or planned where nobody signed it: the one clock that exports print."""
        return self.found.issued or self.plan.created

    @cached_property
    def files(self) -> dict[str, str]:
        """Path of each listed file of the bundle to its digest."""
        manifest = parse_manifest(read_document(self.container, MANIFEST))
        return {entry.path: entry.sha256 for entry in manifest.entries}

    @cached_property
    def envelope_sha256(self) -> str | None:
        """Digest of the label's envelope with its signature; None for a bundle that nobody signed."""
        if self.statement is None:
            return None
        return digest(read_document(self.container, ATTESTATION))

    @cached_property
    def suites(self) -> dict[str, Manifest]:
        """`id@version` to the suite file of each suite, as it lies in the bundle."""
        found = {}
        for stream in self.plan.streams:
            path, _ = suite_files(stream.suite)
            document = load_strict_yaml(read_document(self.container, path), where=path)
            found[stream.suite] = parse_suite_file(document, where=path)
        return found

    @cached_property
    def indexes(self) -> dict[str, dict[str, SampleEntry]]:
        """`id@version` of each suite to its samples by id."""
        listed = read_indexes(self.container, self.plan)
        return {suite: {entry.id: entry for entry in entries} for suite, entries in listed.items()}

    @cached_property
    def answered(self) -> dict[str, int]:
        """`id@version` of each suite to how many of its planned answers were counted."""
        return {item["suite"]: item["answers"] for item in read_measures(self.container)["streams"]}

    def stream(self, suite: str) -> StreamPlan:
        """The plan of one suite."""
        return next(stream for stream in self.plan.streams if stream.suite == suite)

    def measure_rule(self, measure: str) -> Measure | None:
        """What the rubric says of a measure; a measure of one setting is `measure@setting`."""
        return self.rubric.measures.get(measure.partition("@")[0])

    def counted_samples(self, measure: MeasurePlan) -> frozenset[str]:
        """The samples whose answers stand in a measure's counts.

        An item counts when all of its epochs are in, a family when all of its samples are (evidence.counting, rules 3
        and 4).
        """
        stream, index = self.stream(measure.suite), self.indexes[measure.suite]
        answered = self.answered[measure.suite]
        items = -(-answered // stream.epochs) if measure.unit == "trial" else answered // stream.epochs
        order = ordered_ids(self.plan.seed, measure.suite, index.values(), stream.strata)
        inside = {sample for sample in order[:items] if matches(index[sample], measure.where)}
        if measure.unit != "family":
            return frozenset(inside)
        open_families = {
            entry.unit for entry in index.values() if matches(entry, measure.where) and entry.id not in inside
        }
        return frozenset(sample for sample in inside if index[sample].unit not in open_families)

    def answers(self) -> Iterator[Answer]:
        """The counted answers in the committed order, suite by suite. Raises SealError for an unknown suite."""
        known = {stream.suite for stream in self.plan.streams}
        for answer in read_answers(self.container):
            if answer.suite not in known:
                raise SealError(f"an answer of suite {answer.suite!r}, which the plan has not")
            yield answer


@contextmanager
def open_source(
    path: Path,
    *,
    trust: TrustPolicy | None,
    now: datetime,
    references: Sequence[Verification] = (),
    find_card: FindCard | None = None,
    find_suite: FindSuite | None = None,
) -> Iterator[Source]:
    """Verify a bundle and open it for exporting.

    1 verify it as `verifier.verify_bundle` does; 2 refuse it with the failure of the step that it fails; 3 read the
    statement by the key that signed it, and compare what it binds with what was verified. `references` are the
    verified bundles of reference systems. Raises what the verification found, UsageError where there is no bundle,
    SealError where the bundle changed meanwhile.
    """
    found = verify_bundle(  # step 1
        path, trust=trust, now=now, references=references, find_card=find_card, find_suite=find_suite
    )
    if found.failure is not None:  # step 2
        raise found.failure
    assert found.label is not None and found.plan is not None and found.system is not None, (
        "it has no failure"
    )
    with open_container(path) as container:
        if digest(read_document(container, MANIFEST)) != found.manifest_sha256:
            raise SealError("the bundle was changed after it was verified", where=str(path))
        statement, statement_sha256 = _read_statement(container, found)  # step 3
        yield Source(
            container=container,
            found=found,
            label=found.label,
            system=found.system,
            plan=found.plan,
            rubric=load_rubric(read_document(container, RUBRIC), RUBRIC),
            statement=statement,
            statement_sha256=statement_sha256,
            verified_at=now,
        )


def _read_statement(container: Container, found: Verification) -> tuple[Statement | None, str | None]:
    if found.keyid is None or ATTESTATION not in container.sizes:
        return None, None
    signer = parse_public_file(read_document(container, SIGNER_KEY), where=SIGNER_KEY)
    opened = open_envelope(read_document(container, ATTESTATION), (signer,), where=ATTESTATION)
    statement = parse_statement(opened.payload, where=ATTESTATION)
    if statement.predicate.manifest_sha256 != found.manifest_sha256 or signer.keyid != found.keyid:
        raise SealError("the statement was changed after it was verified", where=ATTESTATION)
    return statement, digest(opened.payload)


def require_signature(source: Source, what: str) -> tuple[Statement, str]:
    """The label's statement and its digest. Raises UsageError for a bundle that nobody signed."""
    if source.statement is None or source.statement_sha256 is None:
        raise UsageError(
            f"{what} speaks of a signed label, and nobody signed this one",
            hint="label it again with --key, or export a format that can say `V0 claimed`",
        )
    return source.statement, source.statement_sha256
