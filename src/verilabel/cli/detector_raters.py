"""`verilabel detectors measure` with several raters: agreement, and errors under every truth that they allow."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from verilabel.cli.console import plain, print_json, print_table
from verilabel.cli.detector_answers import find_all, read_tags, split_labels
from verilabel.cli.detector_figures import (
    counts_document,
    print_cautions,
    refuse_flattery,
    show_rates,
    write_measured_card,
)
from verilabel.errors import UsageError

if TYPE_CHECKING:
    from verilabel.detectors.interface import AskingDetector, Detector
    from verilabel.detectors.panel import PanelMeasurement


def measure_raters(args: argparse.Namespace, detector: Detector | AskingDetector) -> None:
    """Read the ratings, run the detector, print its errors under every truth, write the card."""
    from verilabel.detectors.measure import MIN_POSITIVES, answers_of
    from verilabel.detectors.panel import measure_against_raters
    from verilabel.detectors.rated import RatedColumns, read_rated

    if args.rater_column and not args.label_column:
        raise UsageError("a row is one rating: which column is its label?", hint="--label-column NAME")
    columns = RatedColumns(
        output=args.output_column,
        prompt=args.prompt_column,
        raters=tuple(split_labels(args.rater_columns or "")),
        rater=args.rater_column,
        label=args.label_column if args.rater_column else None,
        item=args.item_column,
        adjudicated=args.adjudicated_column,
    )
    positive = split_labels(args.positive)
    rated = read_rated(args.human, columns, positive=positive)
    flattering = refuse_flattery(args, detector, rated.sha256)
    findings = find_all(detector, answers_of([item.row for item in rated.items], read_tags(args.tag)))
    measured = measure_against_raters(
        rated,
        findings,
        positive=positive,
        unsure=split_labels(args.unsure),
        min_items=args.min_items,
        language=args.language,
    )
    by_card = {"worst": measured.worst, "rater": measured.hardest, "adjudicated": measured.adjudicated}
    counts = by_card[args.card]
    if args.out:
        write_measured_card(detector.card, counts, args.out)
    uncertified = counts.positives < MIN_POSITIVES
    if args.json:
        flags = {"judge_uncertified": uncertified, "trained_on_these_answers": flattering}
        print_json({"detector": detector.card.name, **_panel_document(measured), "card": args.card, **flags})
        return
    _print_panel(measured)
    print_cautions(counts, uncertified=uncertified, flattering=flattering)


def _panel_document(measured: PanelMeasurement) -> dict[str, object]:
    import msgspec

    document: dict[str, object] = msgspec.to_builtins(measured)
    for name in ("adjudicated", "unanimous", "worst", "best", "hardest"):
        document[name] = counts_document(getattr(measured, name))
    document["by_rater"] = {rater: counts_document(counts) for rater, counts in measured.by_rater.items()}
    for name in ("sensitivity", "specificity"):
        document[name] = msgspec.to_builtins(getattr(measured, name))
    return document


def _print_panel(measured: PanelMeasurement) -> None:
    print(
        f"{measured.items} answers, {measured.raters} raters; "
        f"{measured.disputed} disputed, {measured.ties} ties left out\n"
    )
    names = {"percent": "agreeing pairs", "cohen_kappa": "Cohen's kappa", "fleiss_kappa": "Fleiss' kappa"}
    names["krippendorff_alpha"] = "Krippendorff's alpha"
    figures = [
        (getattr(measured.labels, key), getattr(measured.events, key), says) for key, says in names.items()
    ]
    rows = [(says, *("not defined" if f is None else f"{f:.3f}" for f in pair)) for *pair, says in figures]
    print_table(("agreement", "of labels", "of the event"), rows)
    print()
    truths = [
        (name, getattr(measured, name)) for name in ("adjudicated", "unanimous", "worst", "best", "hardest")
    ]
    shown = [(name, *show_rates(counts)) for name, counts in truths]
    if len(measured.by_rater) <= 12:
        shown += [
            (plain(f"rater {rater}"), *show_rates(counts)) for rater, counts in measured.by_rater.items()
        ]
    print_table(("truth", "sensitivity", "specificity"), shown)
    if len(measured.by_rater) > 12:
        print(f"{len(measured.by_rater)} raters each alone are in the widest bounds; --json lists them")
    if measured.set_aside:
        print(f"{len(measured.set_aside)} raters labelled too few answers to be a truth alone")
    for name in ("sensitivity", "specificity"):
        bounds = getattr(measured, name)
        print(
            f"{name} with the adjudication or any one rater as truth: "
            f"{bounds.lower:.3f} .. {bounds.upper:.3f} (exact, 95 % each)"
        )
