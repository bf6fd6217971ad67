"""List detectors with their measured errors, show one, and measure one against people.

  list      every built-in detector: its event, and what it found and cleared of people's labels
  show      one detector's card and every way in which it was measured
  measure   count a detector's errors on a file of answers that people labelled (CSV, JSONL or JSON); with several
            raters (columns, or a row a rating) their disagreement is carried into the errors
  audit     grade recorded answers again and say whether the detector still grades as it did: SOURCE is a bundle, whose
            own grades are the baseline, or a file of answers with --baseline (made earlier by --record)

DETECTOR is refusal, harmful, choice, exact, number[:TOLERANCE], regex:PATTERN, judge:MODEL, or a guard model:
llama-guard, shieldgemma, granite-guardian, qwen3guard or gpt-oss-safeguard, as NAME:MODEL@BASE_URL.
A judge is asked for real, at its model's price; its measured card is what a label needs to trust it.

examples:
  verilabel detectors list
  verilabel detectors show refusal
  verilabel detectors measure refusal --human answers.csv --output-column completion \\
      --label-column final_label --positive 2_full_refusal,3_partial_refusal --prompt-column prompt
  verilabel detectors measure judge:openai/gpt-4o-mini --human answers.csv --prompt-column question \\
      --output-column response --label-column label --positive 1 --out judge-card.json
  verilabel detectors measure refusal --human answers.csv --prompt-column prompt --output-column completion \\
      --rater-columns annotation_1,annotation_2 --adjudicated-column final_label --positive 2_full_refusal
  verilabel detectors audit judge:openai/gpt-4o-mini model.bundle
  verilabel detectors audit judge:openai/gpt-4o-mini answers.csv --prompt-column question \\
      --output-column response --baseline grades.json

exit statuses of audit: 0 stable, 1 drifted, 8 inconclusive (the n that would decide is printed)
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from verilabel.cli.detector_answers import (
    add_reading_options,
    find_all,
    read_tags,
    refuse_overwriting,
    split_labels,
)
from verilabel.cli.detector_audit import audit_detector, configure_audit
from verilabel.cli.detector_figures import (
    counts_document,
    print_cautions,
    refuse_flattery,
    show_rates,
    write_measured_card,
)
from verilabel.cli.detector_raters import measure_raters
from verilabel.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from verilabel.detectors.interface import AskingDetector, Detector
    from verilabel.records.score import ErrorCounts

SUMMARY = "list detectors with their measured errors; measure and audit them"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verbs of `verilabel detectors`."""
    from verilabel.cli.console import add_json_flag

    verbs = parser.add_subparsers(dest="verb", required=True, metavar="list|show|measure|audit")
    listing = verbs.add_parser("list", help="every built-in detector with its measured errors")
    showing = verbs.add_parser("show", help="one detector's card and measurements")
    measuring = verbs.add_parser("measure", help="count a detector's errors on answers that people labelled")
    auditing = verbs.add_parser("audit", help="grade recorded answers again: does it still grade as it did?")
    for sub in (showing, measuring, auditing):
        sub.add_argument(
            "detector", metavar="DETECTOR", help="a detector's name, as in `verilabel detectors --help`"
        )
    _configure_measure(measuring)
    configure_audit(auditing)
    for sub in (listing, showing, measuring, auditing):
        add_json_flag(sub)


def _configure_measure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--human", type=Path, required=True, metavar="FILE", help="answers with people's labels")
    add("--output-column", required=True, metavar="NAME", help="column of the answers")
    add("--label-column", metavar="NAME", help="column of people's labels")
    add("--positive", required=True, metavar="LABELS", help="labels, comma-separated: the event is true")
    add_reading_options(parser)
    add("--language", default="en", help="language of the answers (default: en)")
    add("--out", type=Path, metavar="FILE", help="write the card with these counts")
    add("--force", action="store_true", help="overwrite --out")
    group = parser.add_argument_group("several raters")
    add = group.add_argument
    add("--rater-columns", metavar="NAMES", help="columns of labels, comma-separated, one a rater")
    add(
        "--rater-column",
        metavar="NAME",
        help="column of the rater, where a row is one rating (--label-column)",
    )
    add("--item-column", metavar="NAME", help="what tells answers apart, where a row is one rating")
    add("--adjudicated-column", metavar="NAME", help="column of the label decided where raters disagreed")
    add("--unsure", default="", metavar="LABELS", help="labels, comma-separated, that say neither")
    add("--min-items", type=int, default=30, metavar="N", help="answers of a rater to be a truth alone (30)")
    add(
        "--card",
        choices=("worst", "rater", "adjudicated"),
        default="worst",
        help="the card's counts: disputed answers against the detector (default), the hardest rater's, or adjudicated",
    )


def run(args: argparse.Namespace) -> ExitStatus:
    """Carry out one verb."""
    if args.verb == "audit":
        return audit_detector(args)
    verbs = {"list": _list, "show": _show, "measure": _measure}
    verbs[args.verb](args)
    return ExitStatus.OK


def _list(args: argparse.Namespace) -> None:
    from verilabel.cli.console import print_json, print_table
    from verilabel.detectors.catalogue import bundled_detectors

    cards = [detector.card for detector in bundled_detectors()]
    if args.json:
        print_json(
            [
                {
                    "id": card.id,
                    "version": card.version,
                    "event": card.event,
                    "sha256": card.sha256,
                    "exact": card.exact,
                    "pooled": counts_document(pooled) if (pooled := card.pooled()) else None,
                    "errors": [counts_document(counts) for counts in card.errors],
                }
                for card in cards
            ]
        )
        return
    rows = []
    for card in cards:
        pooled = card.pooled()
        if card.exact:
            rows.append((card.name, card.event, "exact", "exact", "computed by rule, no judge error"))
        elif pooled is None:
            rows.append((card.name, card.event, "unknown", "unknown", "not measured"))
        else:
            rows.append(
                (card.name, card.event, *show_rates(pooled), _data_sets([e.dataset for e in card.errors]))
            )
    print_table(("detector", "event", "sensitivity", "specificity", "measured on"), rows)
    print(
        "\nrates with exact 95 % intervals, on answers not used to make the weights; `detectors show` splits them"
    )
    print(
        "with a model or a pattern: regex:PATTERN, number:TOLERANCE, judge:MODEL, llama-guard:NAME@URL, ..."
    )


def _show(args: argparse.Namespace) -> None:
    import msgspec

    from verilabel.cli.console import print_json, print_table
    from verilabel.detectors.catalogue import open_detector
    from verilabel.detectors.measure import shipped_measurements

    detector = open_detector(args.detector)
    card = detector.card
    tables = [table for table in shipped_measurements().tables if table.detector == card.id]
    about = " ".join((type(detector).__doc__ or "").split())
    if args.json:
        measured = [{"scheme": t.scheme, "counts": [counts_document(c) for c in t.counts]} for t in tables]
        print_json({"card": msgspec.to_builtins(card), "about": about, "measurements": measured})
        return
    print(f"{card.name}, event {card.event}\n{card.sha256}\n\n{about}\n")
    if card.exact:
        print("exact: computed by rule, no judge error")
    elif not tables:
        print(
            "not measured: rows that it judges are flagged judge_uncertified until `detectors measure` gives a card"
        )
    for table in tables:
        print(f"{table.scheme}:")
        print_table(
            ("data set", "sensitivity", "specificity"), [(c.dataset, *show_rates(c)) for c in table.counts]
        )
        print()


def _measure(args: argparse.Namespace) -> None:
    from verilabel.detectors.catalogue import open_detector

    refuse_overwriting(args.out, force=args.force)
    detector = open_detector(args.detector)
    if args.rater_columns or args.rater_column:
        measure_raters(args, detector)
    else:
        _measure_one(args, detector)


def _measure_one(args: argparse.Namespace, detector: Detector | AskingDetector) -> None:
    from verilabel.cli.console import print_json
    from verilabel.detectors.labelled import read_labelled
    from verilabel.detectors.measure import MIN_POSITIVES, answers_of, count_errors

    if not args.label_column:
        raise UsageError(
            "no column of labels", hint="--label-column NAME, or --rater-columns for several raters"
        )
    labelled = read_labelled(
        args.human,
        output_column=args.output_column,
        label_column=args.label_column,
        positive=split_labels(args.positive),
        prompt_column=args.prompt_column,
    )
    flattering = refuse_flattery(args, detector, labelled.sha256)
    findings = find_all(detector, answers_of(labelled.rows, read_tags(args.tag)))
    counts = count_errors(
        labelled.rows, findings, dataset=labelled.name, dataset_sha256=labelled.sha256, language=args.language
    )
    if args.out:
        write_measured_card(detector.card, counts, args.out)
    uncertified = counts.positives < MIN_POSITIVES
    if args.json:
        flags = {"judge_uncertified": uncertified, "trained_on_these_answers": flattering}
        print_json({"detector": detector.card.name, **counts_document(counts), **flags})
        return
    _print_counts(counts, uncertified=uncertified, flattering=flattering)


def _print_counts(counts: ErrorCounts, *, uncertified: bool, flattering: bool) -> None:
    sensitivity, specificity = show_rates(counts)
    print(f"sensitivity  {sensitivity}")
    print(f"specificity  {specificity}")
    print(f"{counts.dataset}: {counts.method}; intervals are exact, 95 %")
    print_cautions(counts, uncertified=uncertified, flattering=flattering)


def _data_sets(names: list[str]) -> str:
    """Names of data sets in one line, the words that they all begin with once."""
    words = [name.split() for name in names]
    same = 0
    while len(names) > 1 and all(len(w) > same + 1 and w[same] == words[0][same] for w in words):
        same += 1
    shared = "".join(f"{word} " for word in words[0][:same])
    return shared + ", ".join(" ".join(w[same:]) for w in words)
