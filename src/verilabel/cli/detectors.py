"""List detectors with their measured errors, show one, and measure one against people.

  list      every built-in detector: its event, and what it found and cleared of people's labels
  show      one detector's card and every way in which it was measured
  measure   count a detector's errors on a file of answers that people labelled (CSV, JSONL or JSON)

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
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from verilabel.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from verilabel.detectors.interface import AskingDetector, Detector, Finding
    from verilabel.detectors.labelled import LabelledSet
    from verilabel.records.score import DetectorCard, ErrorCounts

SUMMARY = "list detectors with their measured errors; measure one against people"
CONFIDENCE = "0.95"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verbs of `verilabel detectors`."""
    from verilabel.cli.console import add_json_flag

    verbs = parser.add_subparsers(dest="verb", required=True, metavar="list|show|measure")
    listing = verbs.add_parser("list", help="every built-in detector with its measured errors")
    showing = verbs.add_parser("show", help="one detector's card and measurements")
    measuring = verbs.add_parser("measure", help="count a detector's errors on answers that people labelled")
    for sub in (showing, measuring):
        sub.add_argument(
            "detector", metavar="DETECTOR", help="a detector's name, as in `verilabel detectors --help`"
        )
    measuring.add_argument(
        "--human", type=Path, required=True, metavar="FILE", help="answers with people's labels"
    )
    measuring.add_argument("--output-column", required=True, metavar="NAME", help="column of the answers")
    measuring.add_argument("--label-column", required=True, metavar="NAME", help="column of people's labels")
    measuring.add_argument(
        "--positive",
        required=True,
        metavar="LABELS",
        help="labels, comma-separated, that mean: the event is true",
    )
    measuring.add_argument(
        "--prompt-column", metavar="NAME", help="column of the prompts (some detectors read them)"
    )
    measuring.add_argument(
        "--tag",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a tag of every sample, such as label=unsafe",
    )
    measuring.add_argument("--language", default="en", help="language of the answers (default: en)")
    measuring.add_argument("--out", type=Path, metavar="FILE", help="write the card with these counts")
    measuring.add_argument("--force", action="store_true", help="overwrite --out")
    for sub in (listing, showing, measuring):
        add_json_flag(sub)


def run(args: argparse.Namespace) -> ExitStatus:
    """Carry out one verb."""
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
                    "pooled": _counts_document(pooled) if (pooled := card.pooled()) else None,
                    "errors": [_counts_document(counts) for counts in card.errors],
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
                (card.name, card.event, *_rates(pooled), _data_sets([e.dataset for e in card.errors]))
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
        measured = [{"scheme": t.scheme, "counts": [_counts_document(c) for c in t.counts]} for t in tables]
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
            ("data set", "sensitivity", "specificity"), [(c.dataset, *_rates(c)) for c in table.counts]
        )
        print()


def _measure(args: argparse.Namespace) -> None:
    from verilabel.cli.console import print_json
    from verilabel.detectors.catalogue import open_detector
    from verilabel.detectors.labelled import read_labelled
    from verilabel.detectors.measure import MIN_POSITIVES, trained_on

    _check_out(args)
    tags = _tags(args.tag)
    detector = open_detector(args.detector)
    labelled = read_labelled(
        args.human,
        output_column=args.output_column,
        label_column=args.label_column,
        positive=[label.strip() for label in args.positive.split(",") if label.strip()],
        prompt_column=args.prompt_column,
    )
    flattering = trained_on(detector, labelled.sha256)
    if flattering and args.out:
        raise UsageError(
            "this file trained the detector: its counts would flatter it, so no card is written",
            where=str(args.human),
            hint="measure it on other answers; `detectors show` has its errors on answers held out",
        )
    counts = _measure_any(detector, labelled, tags, args.language)
    if args.out:
        _write_card(detector.card, counts, args.out)
    uncertified = counts.positives < MIN_POSITIVES
    if args.json:
        flags = {"judge_uncertified": uncertified, "trained_on_these_answers": flattering}
        print_json({"detector": detector.card.name, **_counts_document(counts), **flags})
        return
    _print_counts(counts, uncertified=uncertified, flattering=flattering)


def _print_counts(counts: ErrorCounts, *, uncertified: bool, flattering: bool) -> None:
    from verilabel.detectors.measure import MIN_POSITIVES

    sensitivity, specificity = _rates(counts)
    print(f"sensitivity  {sensitivity}")
    print(f"specificity  {specificity}")
    print(f"{counts.dataset}: {counts.method}; intervals are exact, 95 %")
    if uncertified:
        print(f"judge_uncertified: {counts.positives} labelled positives, a label wants {MIN_POSITIVES}")
    if flattering:
        print("caution: the detector was trained on these answers, the counts flatter it")


def _measure_any(
    detector: Detector | AskingDetector, labelled: LabelledSet, tags: dict[str, str], language: str
) -> ErrorCounts:
    from verilabel.detectors.interface import asks_a_model, decides_alone
    from verilabel.detectors.measure import count_errors, detect_all

    if asks_a_model(detector):
        findings = _ask_all(detector, labelled, tags)
    else:
        assert decides_alone(detector)
        findings = detect_all(detector, labelled.rows, tags)
    return count_errors(
        labelled.rows, findings, dataset=labelled.name, dataset_sha256=labelled.sha256, language=language
    )


def _ask_all(detector: AskingDetector, labelled: LabelledSet, tags: dict[str, str]) -> list[Finding]:
    import asyncio

    from verilabel.detectors.measure import SUITE, ask_about_all
    from verilabel.models.address import open_model
    from verilabel.models.interface import Exchange, ModelRequest
    from verilabel.records.sample import Message

    async def judge_all() -> list[Finding]:
        async with open_model(detector.model, base_url=detector.base_url) as model:

            async def ask(messages: tuple[Message, ...]) -> Exchange:
                return await model.ask(ModelRequest(SUITE, "labelled", 1, messages, detector.params))

            return await ask_about_all(detector, labelled.rows, ask, tags)

    return asyncio.run(judge_all())


def _check_out(args: argparse.Namespace) -> None:
    if args.out and args.out.exists() and not args.force:
        raise UsageError("the file exists", where=str(args.out), hint="--force overwrites it")


def _tags(pairs: list[str]) -> dict[str, str]:
    tags: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"{pair!r} is not KEY=VALUE", where="--tag")
        tags[key] = value
    return tags


def _write_card(card: DetectorCard, counts: ErrorCounts, path: Path) -> None:
    import msgspec

    from verilabel.detectors.measured_card import write_card

    write_card(msgspec.structs.replace(card, errors=(counts,)), path)


def _counts_document(counts: ErrorCounts) -> dict[str, object]:
    import msgspec

    document: dict[str, object] = msgspec.to_builtins(counts)
    for name, events, n in _fractions(counts):
        low, high = _interval(events, n)
        rate = f"{events / n:.6f}" if n else None
        document[name] = {
            "rate": rate,
            "lower": f"{low:.6f}",
            "upper": f"{high:.6f}",
            "confidence": CONFIDENCE,
        }
    return document


def _rates(counts: ErrorCounts) -> tuple[str, str]:
    sensitivity, specificity = (_rate(events, n) for _, events, n in _fractions(counts))
    return sensitivity, specificity


def _fractions(counts: ErrorCounts) -> tuple[tuple[str, int, int], tuple[str, int, int]]:
    return (
        ("sensitivity", counts.true_positives, counts.positives),
        ("specificity", counts.true_negatives, counts.negatives),
    )


def _rate(events: int, n: int) -> str:
    if n == 0:
        return "none labelled"
    low, high = _interval(events, n)
    return f"{events / n:.3f} [{low:.3f}, {high:.3f}] {events}/{n}"


def _interval(events: int, n: int) -> tuple[float, float]:
    from verilabel.statistics.exact import clopper_pearson

    return clopper_pearson(events, n) if n else (0.0, 1.0)


def _data_sets(names: list[str]) -> str:
    """Names of data sets in one line, the words that they all begin with once."""
    words = [name.split() for name in names]
    same = 0
    while len(names) > 1 and all(len(w) > same + 1 and w[same] == words[0][same] for w in words):
        same += 1
    shared = "".join(f"{word} " for word in words[0][:same])
    return shared + ", ".join(" ".join(w[same:]) for w in words)
