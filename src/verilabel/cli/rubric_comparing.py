"""The verbs of `verilabel rubric` that hold rubrics, or a rubric and bundles, against each other."""

from __future__ import annotations

import argparse
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from verilabel.cli import seal_options
from verilabel.cli.console import plain, print_json, print_table
from verilabel.errors import CheckFailed, ExitStatus

if TYPE_CHECKING:
    from verilabel.comparison.impact import Impact, Outcome
    from verilabel.comparison.lens import Reading
    from verilabel.comparison.sensitivity import RowSensitivity, Sensitivity


def run(args: argparse.Namespace) -> ExitStatus:
    """Carry out diff, impact or sensitivity."""
    return {"diff": _diff, "impact": _impact, "sensitivity": _sensitivity}[args.verb](args)


def _diff(args: argparse.Namespace) -> ExitStatus:
    import msgspec

    from verilabel.comparison.rubric_difference import compare_rubrics
    from verilabel.rubric.model import find_rubric

    old, new = find_rubric(args.old), find_rubric(args.new)
    changes = compare_rubrics(old, new)
    if args.json:
        print_json(
            {
                "old": msgspec.to_builtins(old.reference),
                "new": msgspec.to_builtins(new.reference),
                "changes": msgspec.to_builtins(changes),
            }
        )
        return ExitStatus.OK
    print(plain(f"{old.name} ({old.sha256[7:15]}) becomes {new.name} ({new.sha256[7:15]})"))
    if not changes:
        same = (
            "the same bytes" if old.sha256 == new.sha256 else "other bytes, and nothing is asked differently"
        )
        print(same)
        return ExitStatus.OK
    print_table(("where", "effect", "what"), [(plain(c.where), c.effect, plain(c.what)) for c in changes])
    return ExitStatus.OK


def _impact(args: argparse.Namespace) -> ExitStatus:
    from verilabel.comparison.impact import find_bundles, weigh_impact
    from verilabel.detectors.catalogue import find_card
    from verilabel.evidence.verifier import verify_bundle
    from verilabel.rubric.model import find_rubric
    from verilabel.suites.loading import find_suite

    rubric, trust, now = find_rubric(args.rubric), seal_options.open_trust(args), datetime.now(UTC)
    impacts = weigh_impact(
        rubric,
        find_bundles(args.folder),
        lambda path: verify_bundle(path, trust=trust, now=now, find_card=find_card, find_suite=find_suite),
        any_rubric=args.any_rubric,
    )
    counts = Counter(impact.outcome for impact in impacts)
    if args.json:
        import msgspec

        print_json(
            {
                "rubric": msgspec.to_builtins(rubric.reference),
                "counts": dict(counts),
                "bundles": msgspec.to_builtins(impacts),
            }
        )
    else:
        _print_impacts(rubric.name, impacts, counts)
    return ExitStatus.CHECK_FAILED if counts["not_decided"] else ExitStatus.OK


def _print_impacts(name: str, impacts: tuple[Impact, ...], counts: Counter[Outcome]) -> None:
    print(
        plain(
            f"under {name}: {counts['flipped']} labels flip, {counts['same']} stay, "
            f"{counts['other_rubric']} are by another rubric, {counts['not_decided']} could not be decided"
        )
    )
    for impact in impacts:
        print()
        print(plain(f"{impact.outcome.replace('_', ' ')}: {impact.bundle}"))
        if impact.outcome == "flipped":
            print(plain(f"  was  {impact.old}"))
            print(plain(f"  now  {impact.new}"))
        elif impact.new is not None:
            print(plain(f"  {impact.new}"))
        for why in impact.why:
            print(plain(f"    {why}"))


def _sensitivity(args: argparse.Namespace) -> ExitStatus:
    from verilabel.comparison.sensitivity import weigh_thresholds

    reading = _read(args)
    if reading.label is None:
        raise CheckFailed(
            f"{reading.rubric.name} cannot be decided on this evidence: {reading.unassessed[0].why}",
            where=str(args.bundle),
        )
    found = weigh_thresholds(reading)
    if args.json:
        import msgspec

        print_json(msgspec.to_builtins(found))
    else:
        _print_sensitivity(found)
    return ExitStatus.OK


def _read(args: argparse.Namespace) -> Reading:
    from verilabel.cli.lens import open_evidence, own_rubric
    from verilabel.comparison.lens import Lens
    from verilabel.rubric.model import find_rubric

    now = datetime.now(UTC)
    _, evidence = open_evidence(args.bundle, seal_options.open_trust(args), now)
    rubric = find_rubric(args.rubric) if args.rubric else own_rubric(args.bundle)
    return Lens(evidence, moment=now).read_all([rubric])[0]


def _print_sensitivity(found: Sensitivity) -> None:
    print(plain(f"{found.rubric}, {found.design} design: {found.sentence}"))
    print("\nby threshold (each row alone)")
    for row in found.rows:
        _print_row(row)
    print("\nby alpha (the error of every row)")
    rows = [
        (alpha.alpha, "own" if alpha.own else "flips" if alpha.flips else "", plain(alpha.sentence))
        for alpha in found.alphas
    ]
    print_table(("alpha", "", "label"), rows)


def _print_row(row: RowSensitivity) -> None:
    where = row.level if row.test == "when" else f"{row.level} {row.test}"
    print(plain(f"  {where} {row.row}: {row.status.replace('_', ' ')}"))
    if row.why is not None:
        print(plain(f"      {row.why}"))
    for step in row.steps:
        words = step.status.replace("_", " ")
        outcome = f"the label flips: {step.sentence}" if step.flips else "the label stays"
        print(plain(f"      {words} from {step.threshold} on: {outcome}"))
