"""Decide a label from a run's kept scores; with --out, also seal it into a signed bundle.

examples:
  verilabel decide gpt.run
  verilabel decide gpt.run --out gpt.bundle --key default
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from pathlib import Path

from verilabel.cli import seal_options, signing
from verilabel.cli.console import add_json_flag, print_json
from verilabel.errors import ExitStatus

SUMMARY = "decide a label from kept scores (steps 5 and 6 alone)"


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("store", type=Path, help="a run's store")
    signing.add_attestation_option(parser)
    seal_options.add_seal_options(parser)
    add_json_flag(parser)


def run(args: Namespace) -> ExitStatus:
    """Decide, and seal where --out says where to."""
    from verilabel.cli.label_text import print_label, print_sealed
    from verilabel.evaluation.labelling import (
        check_log,
        count_answers,
        keep_given,
        read_given_names,
        read_plan,
        require_complete,
        require_counting,
    )
    from verilabel.evidence.layout import RUBRIC
    from verilabel.evidence.sealing import Sealing, seal_bundle
    from verilabel.rubric.decide import decide
    from verilabel.rubric.model import load_rubric

    with seal_options.open_begun_store(args.store) as store:
        plan, given = read_plan(store), signing.load_findings(args)
        rubric = load_rubric(store.document(RUBRIC), RUBRIC)
        require_counting(given, rubric, plan.system_sha256, datetime.now(UTC))
        keep_given(store, given)
        counted = count_answers(store)
        require_complete(plan, counted)
        if args.out is not None:
            seal_options.check_out(args)
            seals = seal_options.open_seals(args)
            check_log(store, seals.log)
            sealing = Sealing(seals.key, seals.log, datetime.now(UTC))
            print_sealed(seal_bundle(store, counted, args.out, sealing, force=args.force), as_json=args.json)
            return ExitStatus.OK
        attested = read_given_names(store)
    label = decide(
        rubric,
        counted.tallies(),
        design=plan.design,
        attested=attested,
        references=plan.reference_tallies(),
    )
    if args.json:
        print_json({"sentence": label.sentence, "label": label.document()})
    else:
        print_label(label)
    return ExitStatus.OK
