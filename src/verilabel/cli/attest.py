"""Sign a finding about a system that a rubric or the level V4 asks for: what a person found and no suite measures.

Rubrics name such findings under `attestations`, with the role that must sign them. A finding is about one system, by
its descriptor's digest, and ends on a date. `verilabel label --attestation FILE` encloses it in a label, whose row
`attested` it then meets; readers count it if their trust policy names its signer for the role `attestations`. The
findings that V4 asks for (elicitation, governance, judge-calibration) may also come after the label: attach them.

examples:
  verilabel attest elicitation --system gpt.bundle --role capability-evaluator --text @found.txt --out elicitation.json
  verilabel attest uplift-trial --system system.json --role domain-expert --text "no uplift" --evidence trial.pdf \\
      --valid-days 180 --rubric capability-ladder --out uplift.json
  verilabel label --model openai/gpt-4o --rubric capability-ladder --attestation elicitation.json --out gpt.bundle
  verilabel attest governance --system gpt.bundle --role owner --text @decision.txt --out governance.json
  verilabel statements attach gpt.bundle governance.json
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from verilabel.cli import seal_options, signing
from verilabel.cli.console import add_json_flag
from verilabel.errors import ExitStatus, MalformedInput, UsageError

if TYPE_CHECKING:
    from verilabel.records.system import SystemDescriptor

SUMMARY = "sign a statement about a system that a rubric asks for"
MAX_DAYS = 3650


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("name", help="the attestation's name in the rubric, such as elicitation")
    parser.add_argument(
        "--system",
        type=Path,
        required=True,
        metavar="FILE|BUNDLE",
        help="the system's descriptor (JSON), or a bundle of the system",
    )
    parser.add_argument(
        "--role", required=True, help="the role in which it is signed, as the rubric names it"
    )
    parser.add_argument("--text", required=True, metavar="TEXT|@FILE", help="the finding in words")
    parser.add_argument(
        "--evidence",
        action="append",
        type=Path,
        default=[],
        metavar="FILE",
        help="a file that bears it out, named by its digest (repeatable)",
    )
    parser.add_argument(
        "--valid-days", type=int, default=120, metavar="N", help="days for which it holds (default 120)"
    )
    parser.add_argument(
        "--rubric", metavar="ID|FILE", help="check name and role against this rubric before signing"
    )
    signing.add_signing_options(parser)
    add_json_flag(parser)


def run(args: Namespace) -> ExitStatus:
    """Sign the finding."""
    from verilabel.evidence.others.attestation import Finding, signed_by
    from verilabel.evidence.statement import write_time

    signing.check_statement_out(args)
    if not 1 <= args.valid_days <= MAX_DAYS:
        raise UsageError(f"a finding holds for 1 to {MAX_DAYS} days", where="--valid-days")
    if args.rubric is not None:
        _check_asked_for(args)
    system = read_descriptor(args.system)
    key = seal_options.open_signing_key(args)
    now = signing.now_seconds()
    finding = Finding(
        args.name,
        args.role,
        signing.text_or_file(args.text),
        signing.evidence_of(args.evidence),
        write_time(now + timedelta(days=args.valid_days)),
        *signed_by(key.public, now),
    )
    signed = signing.sign_and_write(args, key, system.name, system.digest, finding)
    until = f"{finding.valid_until[:10]}"
    says = f"{args.name} found by {args.role} for system {system.digest[7:15]} ({system.name}), until {until}"
    signing.print_signed(args, signed, says)
    return ExitStatus.OK


def _check_asked_for(args: Namespace) -> None:
    from verilabel.rubric.model import find_rubric

    rubric = find_rubric(args.rubric)
    asked = rubric.attestations.get(args.name)
    if asked is None:
        listed = ", ".join(rubric.attestations) or "none"
        raise UsageError(f"{rubric.name} does not ask for {args.name!r}", hint=f"it asks for {listed}")
    if asked.role != args.role:
        raise UsageError(
            f"{rubric.name} asks that {args.name!r} is signed as {asked.role!r}", where=f"--role {args.role}"
        )


def read_descriptor(path: Path) -> SystemDescriptor:
    """The descriptor in a JSON file or in a bundle. Raises MalformedInput for what is none."""
    import msgspec

    from verilabel.records.canonical import parse_json
    from verilabel.records.system import SystemDescriptor

    if path.is_dir() or path.suffix == ".zip":
        from verilabel.evidence.container import open_container
        from verilabel.evidence.reading import read_system

        with open_container(path) as container:
            return read_system(container)
    try:
        return msgspec.convert(parse_json(path.read_bytes(), where=str(path)), SystemDescriptor)
    except msgspec.ValidationError as error:
        raise MalformedInput(str(error), where=str(path)) from error
