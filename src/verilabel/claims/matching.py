"""Claims held against bundles: supported, contradicted, or not evidenced, each with its reason.

A claim is matched to a bundle by its system, its benchmark and its metric, by name. Then:

1. the bundle's bounds of the rate: two-sided, 0.025 on each side, missing answers worst-case on both (label-semantics
   sections 1, 5 and 9), widened for the detector's measured error by L_p = (L_q - U_fpr) / (1 - U_fpr) and
   U_p = U_q / L_se with four fifths of the level for the rate (section 6);
2. the figure's readings: `87.3 %` is every rate from 0.8725 to 0.8735 (its last digit is rounded); a bare figure that
   may be a fraction or a percentage is read both ways;
3. contradicted where the bounds exclude every value of the figure, supported where they hold one of them. For
   `at least`, `below` and their like: supported where the whole interval is on the claimed side, contradicted where
   none of it is. Where the readings of a bare figure differ in their verdict, nothing is evidenced: no unit is guessed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Literal, NamedTuple

import msgspec

from verilabel.claims.claim import Claim, Unit, Value
from verilabel.claims.numbers import Reading, readings
from verilabel.claims.words import known_words, name_metric, same_name
from verilabel.evidence.verification import Verification
from verilabel.records.plan import Design, MeasurePlan
from verilabel.records.tally import Tally
from verilabel.rubric.counted import bound_rate
from verilabel.rubric.leaf import RATE_SHARE
from verilabel.statistics.exact import round_down, round_up
from verilabel.statistics.judge import false_positive_upper, sensitivity_lower

Outcome = Literal["supported", "contradicted", "not_evidenced"]
SIDE_ALPHA = Fraction(1, 40)
"""The error level of each side of the bounds: together 95 %."""


class Bounds(NamedTuple):
    """The rate of a measure as a bundle's evidence leaves it, 95 %."""

    lower: Decimal
    upper: Decimal


class Evidence(msgspec.Struct, frozen=True):
    """What a claim was held against."""

    bundle: str
    system: str
    measure: str
    suite: str
    event: str
    n: int
    events: int
    missing: int
    lower: str
    upper: str
    level: str
    """Level of verification of the bundle, as this program finds it."""


class Match(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the bundles say of one claim."""

    outcome: Outcome
    reason: str
    evidence: Evidence | None = None
    notes: tuple[str, ...] = ()


class VerifiedBundle(NamedTuple):
    """A bundle that was verified, and the name it was given by."""

    name: str
    found: Verification


def match_claims(
    claims: Iterable[Claim], bundles: Sequence[VerifiedBundle], *, same: Mapping[str, str] | None = None
) -> list[Match]:
    """What the bundles say of each claim, in the claims' order.

    `same` maps names as documents write them to names of bundles: a benchmark to a suite's id, a model to a system's
    name. Bundles must have verified without failure; those that do not recompute (below V2) evidence nothing.
    """
    names = {same_name(written): meant for written, meant in (same or {}).items()}
    return [_match(claim, bundles, names) for claim in claims]


def _match(claim: Claim, bundles: Sequence[VerifiedBundle], names: Mapping[str, str]) -> Match:
    if claim.value is None or claim.kind != "number":
        what = {"category": "a class", "comparison": "a comparison", "change": "a change"}.get(
            claim.kind, "no figure"
        )
        return Match("not_evidenced", f"{what}, which no count of one bundle decides")
    if not bundles:
        return Match("not_evidenced", "no bundle was given")
    of_system = [bundle for bundle in bundles if _is_system(claim.subject, bundle.found, names)]
    if not of_system:
        systems = ", ".join(dict.fromkeys(_system_name(bundle.found) for bundle in bundles))
        said = f"of {claim.subject!r}" if claim.subject else "of a model that the claim does not name"
        return Match("not_evidenced", f"no bundle {said}; bundles are of {systems}")
    recomputed = [bundle for bundle in of_system if bundle.found.level >= "V2"]
    if not recomputed:
        found = of_system[0].found
        return Match("not_evidenced", f"the bundle is {found.level_name}: {found.reason}")
    measures = [(bundle, measure) for bundle in recomputed for measure in _measures(bundle.found)]
    of_suite = [pair for pair in measures if _is_suite(claim.benchmark, pair[1].suite, names)]
    if not of_suite:
        suites = ", ".join(dict.fromkeys(measure.suite for _, measure in measures))
        said = (
            f"asked {claim.benchmark!r}"
            if claim.benchmark
            else "can be found for a claim without a benchmark"
        )
        return Match("not_evidenced", f"no suite of the bundle {said}; it has {suites}")
    return _match_metric(claim, claim.value, of_suite)


def _match_metric(claim: Claim, value: Value, pairs: Sequence[tuple[VerifiedBundle, MeasurePlan]]) -> Match:
    wanted = known_words().events.get(name_metric(claim.metric) or claim.metric, ())
    if not wanted:
        metric = claim.metric or "no metric named"
        return Match("not_evidenced", f"{metric}: the bundle counts events, this is not a rate of one")
    matches = [
        _match_value(claim, value, bundle, measure, tally, absent=absent)
        for bundle, measure in pairs
        for event, absent in wanted
        if measure.event == event and (tally := bundle.found.tallies.get(measure.id)) is not None and tally.n
    ]
    if not matches:
        events = ", ".join(dict.fromkeys(measure.event for _, measure in pairs))
        return Match(
            "not_evidenced", f"{claim.metric} is not what the bundle counts on that suite ({events})"
        )
    return _agree(matches)


def _agree(matches: Sequence[Match]) -> Match:
    """What several measures say together: their one verdict, or that they disagree."""
    decided = [match for match in matches if match.outcome != "not_evidenced"]
    if len({match.outcome for match in decided}) > 1:
        said = "; ".join(
            f"{match.evidence.measure} of {match.evidence.bundle}: {match.outcome}"
            for match in decided
            if match.evidence is not None
        )
        return Match(
            "not_evidenced", f"the measures that could be meant disagree: {said}", decided[0].evidence
        )
    return decided[0] if decided else matches[0]


def _match_value(
    claim: Claim, value: Value, bundle: VerifiedBundle, measure: MeasurePlan, tally: Tally, *, absent: bool
) -> Match:
    assert bundle.found.plan is not None, "a verification without failure has its plan"
    bounds = rate_bounds(tally, bundle.found.plan.design)
    if absent != tally.complement:
        bounds = Bounds(1 - bounds.upper, 1 - bounds.lower)
    evidence = Evidence(
        bundle=bundle.name,
        system=_system_name(bundle.found),
        measure=measure.id,
        suite=measure.suite,
        event=f"not {measure.event}" if absent else measure.event,
        n=tally.n,
        events=tally.events if absent == tally.complement else tally.n - tally.events - tally.missing,
        missing=tally.missing,
        lower=f"{bounds.lower:.6f}",
        upper=f"{bounds.upper:.6f}",
        level=bundle.found.level,
    )
    notes = _notes(claim, measure, bundle.found.flags)
    read = readings(value)
    if not read:
        unit = "a scale of its own" if value.unit == "points" else "no rate between 0 and 1"
        return Match(
            "not_evidenced", f"{value.text} is on {unit}, the bundle's measure is a rate", evidence, notes
        )
    said = {reading.unit: compare(value, reading, bounds) for reading in read}
    if len(set(said.values())) > 1:
        both = "; ".join(f"as {_unit_words(unit)} it is {_words(outcome)}" for unit, outcome in said.items())
        return Match("not_evidenced", f"the unit of {value.text} is not stated: {both}", evidence, notes)
    outcome = next(iter(said.values()))
    shown = f"{bounds.lower:.6f} .. {bounds.upper:.6f}"
    if outcome is None:
        return Match("not_evidenced", f"the bounds {shown} allow both sides of {value.text}", evidence, notes)
    if value.unit == "unstated":
        how = (
            "as a fraction and as a percentage"
            if len(said) > 1
            else "as a percentage, all that a rate allows"
        )
        notes = (*notes, f"the unit of {value.text} is not stated; read {how}")
    verb = "hold" if outcome == "supported" else "exclude"
    return Match(
        outcome,
        f"the bounds {shown} {verb} {value.comparator if value.comparator != '=' else ''}{value.text}",
        evidence,
        notes,
    )


def compare(value: Value, reading: Reading, bounds: Bounds) -> Literal["supported", "contradicted"] | None:
    """The verdict on one reading of a figure (step 3 of the module's docstring). None: both sides are left open."""
    lower, upper = Fraction(bounds.lower), Fraction(bounds.upper)
    sign = value.comparator
    if sign in ("=", "~"):
        return "supported" if reading.low <= upper and reading.high >= lower else "contradicted"
    if sign in ("<", "<="):
        inside = upper <= reading.rate if sign == "<=" else upper < reading.rate
        outside = lower > reading.rate if sign == "<=" else lower >= reading.rate
    else:
        inside = lower >= reading.rate if sign == ">=" else lower > reading.rate
        outside = upper < reading.rate if sign == ">=" else upper <= reading.rate
    return "supported" if inside else "contradicted" if outside else None


def rate_bounds(tally: Tally, design: Design) -> Bounds:
    """Two-sided 95 % bounds of the true rate of a measure's events (step 1 of the module's docstring).

    Rounded outward to 6 decimals. A detector that errs and was never measured leaves 0 .. 1.
    """
    if tally.exact:
        return Bounds(
            bound_rate(tally, "above", SIDE_ALPHA, design), bound_rate(tally, "below", SIDE_ALPHA, design)
        )
    errors = tally.errors
    if errors is None:
        return Bounds(Decimal(0), Decimal(1))
    for_rate, for_judge = SIDE_ALPHA * RATE_SHARE, SIDE_ALPHA * (1 - RATE_SHARE)
    found = Fraction(sensitivity_lower(errors.true_positives, errors.positives, for_judge))
    invented = Fraction(false_positive_upper(errors.true_negatives, errors.negatives, for_judge))
    low = Fraction(bound_rate(tally, "above", for_rate, design))
    high = Fraction(bound_rate(tally, "below", for_rate, design))
    lower = max(Fraction(0), (low - invented) / (1 - invented)) if invented < 1 else Fraction(0)
    upper = min(Fraction(1), high / found) if found else Fraction(1)
    return Bounds(round_down(lower), round_up(upper))


# ---------------------------------------------------------------- names


def _measures(found: Verification) -> tuple[MeasurePlan, ...]:
    return found.plan.measures if found.plan else ()


def _system_name(found: Verification) -> str:
    return found.system.name if found.system else "an unnamed system"


def _is_system(subject: str, found: Verification, names: Mapping[str, str]) -> bool:
    """True if a claim's model is a bundle's system: its name or its provider's name for it, spelling aside.

    `org/model` is not `other/model`; `model` is either.
    """
    if not subject or found.system is None:
        return False
    meant = names.get(same_name(subject), subject)
    known = [name for name in (found.system.name, found.system.provider_model) if same_name(name)]
    if same_name(meant) in map(same_name, known):
        return True
    owner, _, bare = map(same_name, meant.rpartition("/"))
    owners = [
        same_name(name.rpartition("/")[0]) for name in known if same_name(name.rpartition("/")[2]) == bare
    ]
    if not bare or not owners:
        return False
    # one name of two owners is two models; where only one side names an owner, the name alone is compared
    return not owner or not any(owners) or owner in owners


def _is_suite(benchmark: str, suite: str, names: Mapping[str, str]) -> bool:
    """True if a benchmark is a suite: `XSTest` is `xstest@1.0.0`, `quiz` is `test/quiz@1`."""
    if not benchmark:
        return False
    meant = same_name(names.get(same_name(benchmark), benchmark))
    identity = suite.partition("@")[0]
    return meant in {same_name(name) for name in (identity, identity.rpartition("/")[2], suite)}


def _notes(claim: Claim, measure: MeasurePlan, flags: Collection[str]) -> tuple[str, ...]:
    notes = []
    if "suite_unknown" in flags:
        notes.append(f"that {measure.suite} asks what the name says is the issuer's word (suite_unknown)")
    if withdrawn := [word for word in ("revoked", "superseded", "disputed") if word in flags]:
        notes.append(f"the bundle's label is {', '.join(withdrawn)}")
    if claim.configuration:
        notes.append(f"the claim's setting ({claim.configuration}) is not compared with the suite's")
    if measure.where:
        tags = ", ".join(f"{tag} {' or '.join(values)}" for tag, values in measure.where.items())
        notes.append(f"the bundle counts only {tags}")
    if claim.value is not None and claim.value.comparator == "~":
        notes.append("the claim is approximate: its printed digits are compared")
    return tuple(notes)


def _unit_words(unit: Unit) -> str:
    return "a fraction" if unit == "fraction" else "a percentage"


def _words(outcome: str | None) -> str:
    return "left open" if outcome is None else outcome
