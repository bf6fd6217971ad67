"""Open the withheld answers that a challenge chose, or check what somebody opened.

The owner of a sealed bundle writes the chosen records with their salts (--openings, --out). Whoever asked checks them
(--check): they are those of the challenge, all of them and nothing else, they open the commitments in the bundle, and
each score follows from its answer again, as `verify --rescore` finds it. That bounds the share of altered answers
among all that are withheld. Opened records are as dual-use as what was sealed: send them to whoever asked, alone.

examples:
  verilabel open public.bundle --openings mine.openings --challenge challenge.json --out opened.jsonl
  verilabel open public.bundle --check opened.jsonl --challenge challenge.json --mirror data

exit status: 0 written, or all holds; 1 a score does not follow from its opened answer; 3 or 4 the files, the openings
or the bundle are not what they must be.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from verilabel.cli import seal_options
from verilabel.cli.console import add_json_flag, plain, print_json
from verilabel.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from verilabel.evaluation.opened_scores import OpenedScores
    from verilabel.evidence.sealed.challenge import Challenge
    from verilabel.evidence.sealed.opening import Opened

SUMMARY = "open the withheld records that a challenge chose"


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("bundle", type=Path, help="the sealed bundle: a folder or a .zip")
    parser.add_argument(
        "--challenge", type=Path, required=True, metavar="FILE", help="the challenge to answer"
    )
    owner = parser.add_argument_group("opening (the owner)")
    owner.add_argument(
        "--openings", type=Path, metavar="FILE", help="the openings that `verilabel seal` wrote"
    )
    owner.add_argument("--out", type=Path, metavar="FILE", help="where the opened records go (mode 0600)")
    owner.add_argument("--force", action="store_true", help="replace what is at --out")
    reader = parser.add_argument_group("checking (whoever asked)")
    reader.add_argument("--check", type=Path, metavar="FILE", help="the opened records to check")
    reader.add_argument(
        "--suite",
        action="append",
        default=[],
        metavar="ID|PATH",
        help="where a suite of the bundle lies (repeatable; default: by its id)",
    )
    reader.add_argument(
        "--mirror", type=Path, metavar="DIR", help="folder in which suites' data is looked for first"
    )
    seal_options.add_trust_option(parser)
    add_json_flag(parser)


def run(args: Namespace) -> ExitStatus:
    """Open records, or check opened ones."""
    from verilabel.evidence.sealed.challenge import MAX_CHALLENGE_BYTES, parse_challenge

    if (args.check is None) == (args.openings is None):
        raise UsageError("either open or check", hint="--openings FILE --out FILE, or --check FILE")
    with args.challenge.open("rb") as file:
        challenge = parse_challenge(file.read(MAX_CHALLENGE_BYTES + 1), where=str(args.challenge))
    return _open(args, challenge) if args.check is None else _check(args, challenge)


def _open(args: Namespace, challenge: Challenge) -> ExitStatus:
    from verilabel.evidence.atomic import write_file
    from verilabel.evidence.container import open_container
    from verilabel.evidence.sealed.opening import encode_opened, open_records
    from verilabel.evidence.verifier import verify_bundle

    if args.out is None:
        raise UsageError("where shall the opened records go?", hint="--out FILE")
    found = verify_bundle(args.bundle, trust=seal_options.open_trust(args), now=datetime.now(UTC))
    with open_container(args.bundle) as container:
        records = open_records(container, found, challenge, args.openings, where=str(args.challenge))
    write_file(args.out, encode_opened(records), mode=0o600, overwrite=args.force)
    if args.json:
        print_json({"opened": str(args.out), "records": len(records)})
    else:
        print(plain(f"{args.out}: {len(records)} records opened"))
    return ExitStatus.OK


def _check(args: Namespace, challenge: Challenge) -> ExitStatus:
    from verilabel.evaluation.finding import enclosed_suites, find_detectors, find_suites
    from verilabel.evaluation.opened_scores import rescore_opened
    from verilabel.evidence.container import open_container
    from verilabel.evidence.layout import RUBRIC
    from verilabel.evidence.reading import read_document, read_plan
    from verilabel.evidence.sealed.opening import check_opened, read_opened
    from verilabel.evidence.verifier import verify_bundle
    from verilabel.rubric.model import load_rubric

    found = verify_bundle(args.bundle, trust=seal_options.open_trust(args), now=datetime.now(UTC))
    with open_container(args.bundle) as container:
        opened = check_opened(container, found, challenge, read_opened(args.check), where=str(args.check))
        plan = read_plan(container)
        enclosed = enclosed_suites(container, plan)
        suites = find_suites(plan, args.suite, mirror=args.mirror, enclosed=enclosed)
        rubric = load_rubric(read_document(container, RUBRIC), RUBRIC)
        scores = rescore_opened(container, plan, suites, find_detectors(plan, rubric, suites), opened)
    if args.json:
        print_json(document_of(opened, scores))
    else:
        print_opened(opened, scores)
    return ExitStatus.OK if scores.holds else ExitStatus.CHECK_FAILED


def document_of(opened: Opened, scores: OpenedScores) -> dict[str, object]:
    """The finding for programs."""
    import msgspec

    return {
        "holds": scores.holds,
        "sentence": scores.sentence,
        "records": len(opened.records),
        "flags": list(opened.flags),
        **msgspec.to_builtins(scores),
    }


def print_opened(opened: Opened, scores: OpenedScores) -> None:
    """Print what the opened records say of the withheld ones."""
    from verilabel.cli.challenge import print_flags
    from verilabel.cli.verify import print_rescoring

    print(f"all {len(opened.records)} records of {opened.chosen} chosen answers open their commitments")
    print_rescoring(scores.rescoring)
    print(scores.sentence)
    print_flags(opened.flags)
