"""What an audit found, kind by kind: counts beside their bounds and the detector's errors, and sentences for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import ROUND_DOWN, Decimal
from typing import NamedTuple

from verilabel.audit.bounds.statements import Statement, describe_coverage, describe_statement
from verilabel.audit.exporting.tallies import family_of
from verilabel.audit.interface import Error
from verilabel.audit.proof.manifest import AuditManifest
from verilabel.audit.sampling.result import Measured, SampledKind
from verilabel.errors import MalformedInput

NOT_CLEAN = "Where nothing was found, that is not a finding of absence: read the bound beside it."
SHORT_LIMITS = 400


class Rate(NamedTuple):
    """The lowest and the highest share over the sets on which something was measured."""

    lowest: Decimal
    highest: Decimal
    sets: int


class KindFound(NamedTuple):
    """A kind of finding that was looked for in every document."""

    kind: str
    words: str
    documents: int
    findings: int
    statement: Statement
    planted: int
    """Values of the kind that this audit planted in copies of the corpus' own documents."""
    recovered: int
    """Of those, found."""
    errors: tuple[Error, ...]
    """As measured on sets with known answers, before the audit."""

    @property
    def family(self) -> str:
        """What the kind's id begins with."""
        return family_of(self.kind)

    @property
    def recall(self) -> Rate | None:
        """Of what was there, the share that was found; None where it was never measured."""
        return _rate([(error.found, error.planted) for error in self.errors])

    @property
    def precision(self) -> Rate | None:
        """Of what was claimed, the share that was right; None where it was never measured."""
        return _rate([(error.correct, error.claimed) for error in self.errors])

    @property
    def bounded(self) -> bool:
        """True where the audit may say how many documents contain it at most."""
        return is_bounded(self.statement)


class SampledFound(NamedTuple):
    """A kind that a costly detector or a judge looked for in a sample."""

    statement: Statement
    measured: Measured
    kind: SampledKind


def is_bounded(statement: Statement) -> bool:
    """True where the upper bound says more than that all documents may contain it."""
    return statement.upper < statement.read


def found_in_all(manifest: AuditManifest) -> tuple[KindFound, ...]:
    """Every kind that was looked for in all documents. Raises MalformedInput where one has no statement."""
    cards = {kind.id: kind for card in manifest.checks for kind in card.kinds}
    statements = {each.kind: each for each in manifest.statements if each.method == "census"}
    canaries: dict[str, list[int]] = {}
    for one in manifest.canaries:
        tally = canaries.setdefault(one.kind, [0, 0])
        tally[0] += one.planted
        tally[1] += one.found
    found = []
    for total in manifest.totals:
        if total.kind not in cards or total.kind not in statements:
            raise MalformedInput(f"nothing is stated of {total.kind[:80]!r}", where="audit.json $.statements")
        card, (planted, recovered) = cards[total.kind], canaries.get(total.kind, (0, 0))
        found.append(
            KindFound(
                total.kind,
                card.words,
                total.documents,
                total.findings,
                statements[total.kind],
                planted,
                recovered,
                card.errors,
            )
        )
    return tuple(found)


def found_in_sample(manifest: AuditManifest) -> tuple[SampledFound, ...]:
    """Every kind that was looked for in a sample. Raises MalformedInput where one has no statement."""
    statements = {each.kind: each for each in manifest.statements if each.method != "census"}
    found = []
    for measured in manifest.sample.measured if manifest.sample is not None else ():
        for kind in measured.kinds:
            name = f"{kind.id} by {measured.reference}"
            if name not in statements:
                raise MalformedInput(f"nothing is stated of {name[:80]!r}", where="audit.json $.statements")
            found.append(SampledFound(statements[name], measured, kind))
    return tuple(found)


def _rate(counts: Sequence[tuple[int, int]]) -> Rate | None:
    shares = [Decimal(part) / Decimal(whole) for part, whole in counts if whole]
    return Rate(min(shares), max(shares), len(shares)) if shares else None


# -- sentences -------------------------------------------------------------------------------------


def say_share(share: Decimal) -> str:
    """A share in percent with one place, rounded down so that less than all never reads as 100 %."""
    percent = (share * 100).quantize(Decimal("0.1"), ROUND_DOWN).normalize()
    return f"{percent:f} %"


def say_rate(rate: Rate | None) -> str:
    """The range of a rate that was measured on one or more sets; a dash where it was measured on none."""
    if rate is None:
        return "–"
    lowest, highest = say_share(rate.lowest), say_share(rate.highest)
    return lowest if lowest == highest else f"{lowest.removesuffix(' %')}–{highest}"


def say_confidence(confidence: str) -> str:
    """A confidence as a percentage."""
    percent = f"{Decimal(confidence) * 100:f}"
    return f"{percent.rstrip('0').rstrip('.') if '.' in percent else percent} %"


def say_coverage(manifest: AuditManifest) -> str:
    """How much of the corpus was read, in one sentence."""
    coverage = manifest.coverage
    share = describe_coverage(coverage.read, None if coverage.unknown else coverage.unread)
    rest = f"; at {coverage.unknown:,} places nobody can know how many more" if coverage.unknown else ""
    return (
        f"{coverage.read:,} of {coverage.rows:,} documents were read ({share}), {coverage.text_bytes:,} bytes of "
        f"text in {coverage.shards:,} shards; {coverage.unread:,} could not be read{rest}"
    )


def say_found(found: KindFound) -> str:
    """What was found of a kind, its bound and what is known of the detector, in one sentence."""
    parts = [
        f"{found.kind} ({found.words}): found in {found.documents:,} of {found.statement.read:,} documents, "
        f"{found.findings:,} findings",
        describe_statement(found.statement, found.kind),
    ]
    if found.planted:
        parts.append(f"{found.recovered:,} of {found.planted:,} planted values were found")
    if found.recall is not None:
        parts.append(f"recall on {_say_sets(found.recall.sets)} with known answers {say_rate(found.recall)}")
    if found.precision is not None:
        parts.append(f"precision on {_say_sets(found.precision.sets)} {say_rate(found.precision)}")
    return "; ".join(parts) + "."


def say_sampled(found: SampledFound) -> str:
    """What a costly detector found in the sample, and what is known of it, in one sentence."""
    measured = found.measured
    silent = len(measured.unanswered)
    failed = f", of {silent:,} it said nothing" if silent else ""
    return (
        f"{found.kind.id} by {measured.reference}: {found.kind.positives:,} of {measured.asked:,} documents "
        f"drawn{failed}; {describe_statement(found.statement)}; {say_errors_known(found)}."
    )


def say_errors_known(found: SampledFound) -> str:
    """On how many sets the errors of a sampled detector were measured, and what they were."""
    errors = found.kind.errors
    if not errors:
        return "its errors were not measured"
    hits = _rate([(each.true_positives, each.positives) for each in errors])
    clears = _rate([(each.true_negatives, each.negatives) for each in errors])
    return (
        f"measured on {_say_sets(len(errors))} with known answers: sensitivity "
        f"{say_rate(hits)}, specificity {say_rate(clears)}"
    )


def _say_sets(count: int) -> str:
    return "1 set" if count == 1 else f"{count} sets"


def facts_of(manifest: AuditManifest) -> dict[str, str]:
    """What every file made from an audit says of it, as name and text."""
    return {
        "audit_sha256": manifest.digest,
        "dataset_root": manifest.root.sha256,
        "root_algorithm": manifest.root.algorithm,
        "coverage": say_coverage(manifest),
        "confidence": manifest.settings.confidence,
        "audited": f"{manifest.started} to {manifest.ended}",
        "tool": f"{manifest.tool.name} {manifest.tool.version}",
        "says": manifest.says,
    }


def say_limits(manifest: AuditManifest) -> Iterator[str]:
    """What each check does not find, in its own words."""
    for card in manifest.checks:
        yield f"{card.name} {card.version}: {card.limits}"
    if manifest.sample is not None:
        yield f"sample: {manifest.sample.limits}"
