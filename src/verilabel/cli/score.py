"""Score kept answers that have no score yet: step 4 alone, for a store that was stopped between asking and scoring.

examples:
  verilabel score gpt.run
  verilabel score gpt.run --mirror data --json
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from verilabel.cli.console import add_json_flag, print_json
from verilabel.errors import ExitStatus, SealError

SUMMARY = "score kept answers with detectors (step 4 alone)"


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("store", type=Path, help="a run's store")
    parser.add_argument(
        "--suite",
        action="append",
        default=[],
        metavar="ID|PATH",
        help="where a suite lies (default: by its id)",
    )
    parser.add_argument(
        "--mirror", type=Path, metavar="DIR", help="folder in which suites' data is looked for first"
    )
    add_json_flag(parser)


def run(args: Namespace) -> ExitStatus:
    """Score the store's answers."""
    from verilabel.detectors.catalogue import open_detector
    from verilabel.detectors.interface import Detector, decides_alone
    from verilabel.evaluation.labelling import read_plan, score_answers
    from verilabel.evidence.journal import Store
    from verilabel.suites.loading import load_suite

    given = [load_suite(reference, mirror=args.mirror) for reference in args.suite]
    with Store(args.store) as store:
        plan = read_plan(store)
        suites = {suite.name: suite for suite in given}
        for stream in plan.streams:
            suite = suites.setdefault(stream.suite, load_suite(stream.suite, mirror=args.mirror))
            if suite.digest != stream.suite_sha256:
                raise SealError(f"{suite.name} is not the suite that was planned", where=str(suite.path))
        detectors: dict[str, Detector] = {}
        for card in plan.detectors:
            detector = open_detector(card.id)
            if decides_alone(detector) and detector.card == card:
                detectors[card.name] = detector
        scored = score_answers(store, detectors, suites)
    if args.json:
        print_json({"store": str(args.store), "scored": scored})
    else:
        print(f"{scored} answers scored in {args.store}")
    return ExitStatus.OK
