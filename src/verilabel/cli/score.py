"""Score kept answers that have no score yet: step 4 alone, for a store that was stopped between asking and scoring.

examples:
  verilabel score gpt.run
  verilabel score gpt.run --suite my-suite --mirror data --json

Scores of a judge are made by `verilabel run`, which asks it.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from verilabel.cli import seal_options
from verilabel.cli.console import add_json_flag, print_json
from verilabel.errors import ExitStatus, SealError, UsageError

if TYPE_CHECKING:
    from verilabel.evidence.journal import Store
    from verilabel.suites.loading import Suite

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
    from verilabel.detectors.interface import decides_alone
    from verilabel.evaluation.finding import find_detectors, load_given
    from verilabel.evaluation.labelling import read_plan, score_answers
    from verilabel.evidence.layout import RUBRIC
    from verilabel.rubric.model import load_rubric

    given = [load_given(reference, mirror=args.mirror) for reference in args.suite]
    with seal_options.open_begun_store(args.store) as store:
        plan = read_plan(store)
        planned = {stream.suite: stream.suite_sha256 for stream in plan.streams}
        for suite in given:
            if suite.name not in planned:
                raise UsageError(
                    f"the store's plan has no suite {suite.name}", hint=f"it has {', '.join(planned)}"
                )
        suites = {suite.name: suite for suite in given}
        for name, sha256 in planned.items():
            suite = suites[name] if name in suites else _load_planned(store, name, args.mirror)
            if suite.digest != sha256:
                raise SealError(f"{suite.name} is not the suite that was planned", where=str(suite.path))
            suites[name] = suite
        found = find_detectors(plan, load_rubric(store.document(RUBRIC), RUBRIC), suites)
        detectors = {name: detector for name, detector in found.items() if decides_alone(detector)}
        scored = score_answers(store, detectors, suites)
    if args.json:
        print_json({"store": str(args.store), "scored": scored})
    else:
        print(f"{scored} answers scored in {args.store}")
    return ExitStatus.OK


def _load_planned(store: Store, name: str, mirror: Path | None) -> Suite:
    """A suite of the store's plan: generated again from the file that the store keeps, or found by its id."""
    from verilabel.evidence.layout import suite_files
    from verilabel.suites.loading import load_suite, load_suite_bytes

    path = suite_files(name)[0]
    try:
        return load_suite_bytes(store.document(path), where=path)
    except UsageError:  # not a generated one
        return load_suite(name, mirror=mirror)
