"""Two parties' bundles of one system: do they find the same, and does the second bear out the first one's label?

The comparison is a pure function of two verified bundles, a margin and an error level, so that whoever has both bundles
gets the same bytes (statistics.md section 3, label-semantics section 12). Three things are looked at, and none stands
for another: each measure's rates (difference and equivalence), single outputs (byte for byte), and the replica's own
label, which is decided on its own evidence by the rubric's own rules.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Literal

from verilabel.comparison.pairing import Pairs, Party, find_counting_differences, pair_measure
from verilabel.errors import CheckFailed, SealError, UsageError
from verilabel.evidence.others.attestation import (
    BundleReference,
    Comparison,
    MeasureComparison,
    Replication,
    Verdict,
)
from verilabel.records.label import Label, Row
from verilabel.records.system import scope_difference
from verilabel.records.tally import Tally
from verilabel.rubric.structure import plain
from verilabel.statistics.replication import PairedTest, compare_families_of_rates

DEFAULT_MARGIN = "0.02"
DEFAULT_ALPHA = "0.05"
MOST_ALPHA = Decimal("0.1")
LabelVerdict = Literal["confirmed", "contradicted", "undetermined"]


def compare_parties(
    original: Party,
    replica: Party,
    *,
    margin: str = DEFAULT_MARGIN,
    alpha: str = DEFAULT_ALPHA,
    across_scope: bool = False,
) -> Comparison:
    """Compare a replica with the original, measure by measure.

    Raises CheckFailed where the systems differ in a key that the rubric binds labels to (unless `across_scope`, for
    looking only), where the rubric is another, or where a measure is counted otherwise; UsageError for a margin or
    level that cannot be.
    """
    if original.label.rubric != replica.label.rubric:
        raise CheckFailed(
            f"labels of other rubrics are not compared: {original.rubric.name} "
            f"({original.rubric.sha256[:19]}...) against {replica.rubric.name} ({replica.rubric.sha256[:19]}...)",
            where=replica.where,
        )
    scope = original.rubric.scope.bind
    differing = tuple(scope_difference(original.system, replica.system, scope))
    if differing and not across_scope:
        raise CheckFailed(
            f"another scope: the systems differ in {', '.join(differing)}",
            where=replica.where,
            hint="--across-scope compares them all the same; that is no replication and is never signed",
        )
    if differences := find_counting_differences(original, replica):
        raise CheckFailed(f"the bundles count otherwise: {'; '.join(differences)}", where=replica.where)
    limits = read_decimal(margin, "margin", Decimal(1)), read_decimal(alpha, "alpha", MOST_ALPHA)
    measures = _compare_measures(original, replica, *limits)
    return Comparison(
        verdict=_summarise([measure.verdict for measure in measures]),
        alpha=plain(limits[1]),
        margin=plain(limits[0]),
        scope=scope,
        differing=differing,
        label=judge_label(original.label, replica.label),
        measures=measures,
    )


def read_decimal(text: str, name: str, most: Decimal) -> Decimal:
    """A positive decimal below `most`, of at most 6 places. Raises UsageError."""
    try:
        value = Decimal(text)
        if value.is_finite() and 0 < value <= most < 2 and value == round(value, 6) and value != 1:
            return value
    except InvalidOperation:
        pass
    raise UsageError(f"{name} {text!r} is not a decimal above 0 and up to {most}", hint="such as 0.02")


def _compare_measures(
    original: Party, replica: Party, margin: Decimal, alpha: Decimal
) -> tuple[MeasureComparison, ...]:
    """Every measure of the original; those that both parties have are tested together."""
    theirs = replica.found.tallies
    paired = {m.id: pair_measure(m, original, replica) for m in original.plan.measures if m.id in theirs}
    tests = compare_families_of_rates(
        [(pairs.cells, pairs.clustered) for pairs in paired.values()], margin, alpha
    )
    tested = dict(zip(paired, tests, strict=True))
    return tuple(
        _describe(original.found.tallies[m.id], theirs[m.id], paired[m.id], tested[m.id])
        if m.id in tested
        else _not_asked(original.found.tallies[m.id])
        for m in original.plan.measures
    )


def _not_asked(ours: Tally) -> MeasureComparison:
    """What the replica did not ask decides nothing."""
    return MeasureComparison(
        measure=ours.measure,
        verdict="underpowered",
        items=0,
        n_original=ours.n,
        events_original=ours.events,
        n_replica=0,
        events_replica=0,
        agreeing=0,
        identical=0,
    )


def _describe(ours: Tally, theirs: Tally, pairs: Pairs, test: PairedTest) -> MeasureComparison:
    return MeasureComparison(
        measure=ours.measure,
        verdict=test.verdict,
        items=pairs.units,
        n_original=ours.n,
        events_original=ours.events,
        n_replica=theirs.n,
        events_replica=theirs.events,
        agreeing=pairs.agreeing,
        identical=pairs.identical,
        missing=pairs.missing,
        difference=f"{test.difference.difference:.6f}",
        lower=f"{test.difference.lower:.6f}",
        upper=f"{test.difference.upper:.6f}",
        p_value=f"{test.p_value:.6f}",
        needed=test.needed,
    )


def _summarise(verdicts: list[Verdict]) -> Verdict:
    if "not_replicated" in verdicts:
        return "not_replicated"
    return "replicated" if verdicts and set(verdicts) == {"replicated"} else "underpowered"


# ---------------------------------------------------------------- the label


def judge_label(original: Label, replica: Label) -> LabelVerdict:
    """What the replica's own label says of the original's: of the level granted or, on a hazard scale, ruled out.

    confirmed: it contains it, and nothing that the original met is not met in the replica; contradicted: it excludes
    it, or some such row is not met; else undetermined. Both labels are of one rubric.
    """
    if any(a.status == "met" and b.status == "not_met" for a, b in _paired_rows(original, replica)):
        return "contradicted"
    place = original.scale.index
    if original.kind == "assurance":
        contains, excludes = (
            place(replica.lower) >= place(original.lower),
            place(replica.upper) < place(original.lower),
        )
    else:
        contains, excludes = (
            place(replica.upper) <= place(original.upper),
            place(replica.lower) > place(original.upper),
        )
    if excludes:
        return "contradicted"
    return "confirmed" if contains else "undetermined"


def _paired_rows(original: Label, replica: Label) -> Iterator[tuple[Row, Row]]:
    for ours, theirs in zip(original.levels, replica.levels, strict=True):
        yield from zip(ours.rows, theirs.rows, strict=True)


# ---------------------------------------------------------------- what is signed


def reference_to(party: Party) -> BundleReference:
    """What names a verified bundle exactly. Raises SealError where it is not signed."""
    found = party.found
    if None in (found.statement_sha256, found.manifest_sha256, found.root, found.keyid):
        raise SealError("the bundle is not signed", where=party.where)
    return BundleReference(
        statement_sha256=found.statement_sha256 or "",
        manifest_sha256=found.manifest_sha256 or "",
        evidence_root=found.root or "",
        system_sha256=party.system.digest,
        keyid=found.keyid or "",
        label=party.label.sentence,
    )


def require_signable(original: Party, replica: Party, comparison: Comparison, keyid: str) -> None:
    """Refuse to sign as a replication what is none: no verifier would count it.

    Raises UsageError where the key is not the replica's own, or is the original's; CheckFailed where the systems
    differ, where nobody was asked, or where the records are the original's.
    """
    if keyid == original.found.keyid:
        raise UsageError(
            "this key signed the original: a replication is another party's", where=replica.where
        )
    if keyid != replica.found.keyid:
        raise UsageError(
            "this key did not sign the replica",
            where=replica.where,
            hint="whoever asked again signs both: their own bundle and what it found",
        )
    if comparison.differing:
        raise CheckFailed(f"another scope is never signed: {', '.join(comparison.differing)}")
    _require_asked(replica)
    if replica.found.root == original.found.root:
        raise CheckFailed(
            "its records are the original's, byte for byte: nothing shows that anybody asked again",
            where=replica.where,
            hint="ask in an order of your own: another --seed",
        )


def _require_asked(replica: Party) -> None:
    """Refuse a replica for which nobody asked a model. Raises CheckFailed."""
    if replica.plan.imported is not None or replica.system.identity == "recorded":
        raise CheckFailed("no model was asked: recorded answers replicate nothing", where=replica.where)


def check_recomputed(signed: Replication, original: Party, replica: Party) -> None:
    """Derive a signed replication again from both bundles.

    Raises CheckFailed naming what differs, or where the replica is of recorded answers, which no signer may pass off.
    """
    _require_asked(replica)
    comparison = compare_parties(
        original, replica, margin=signed.comparison.margin, alpha=signed.comparison.alpha
    )
    for what, said, found in (
        ("the original", signed.original, reference_to(original)),
        ("the replica", signed.replica, reference_to(replica)),
    ):
        if said != found:
            raise CheckFailed(f"the replication names another bundle as {what}", where=replica.where)
    if signed.comparison != comparison:
        raise CheckFailed(
            f"the signed comparison does not follow from the bundles, which give: {_differing(signed, comparison)}",
            where=replica.where,
        )


def _differing(signed: Replication, comparison: Comparison) -> str:
    """The first field that differs, as the bundles give it."""
    for name in ("verdict", "label", "alpha", "margin", "scope", "differing"):
        if getattr(signed.comparison, name) != getattr(comparison, name):
            return f"{name} {getattr(comparison, name)}"
    said = {measure.measure: measure for measure in signed.comparison.measures}
    for measure in comparison.measures:
        other = said.get(measure.measure)
        if other is None:
            return f"{measure.measure}, which is not among the signed measures"
        for name in MeasureComparison.__struct_fields__:
            if getattr(other, name) != getattr(measure, name):
                return f"{measure.measure}: {name} {getattr(measure, name)}"
    return "the same measures in another order or number"
