"""Decide by a label: exit 0 if the bundle verifies and meets what you require, 1 if it does not.

examples:
  verilabel gate gpt.bundle --min L2 --verification V2 --max-age 180d --trust trust.yaml
  verilabel gate gpt.bundle --ruled-out C3 --system system.json
  verilabel gate gpt.bundle --min L2 --verification V3 --forbid-flag disputed --trust trust.yaml
  verilabel gate gpt.bundle --min L2 --verification V4 --forbid-flag contaminated --trust trust.yaml
  verilabel gate gpt.bundle --min L2 --forbid-flag suite_unknown --forbid-flag errors_stated --trust trust.yaml

--min asks that the level is granted (assurance scales); --ruled-out that the level is ruled out (hazard scales).
The signer counts if the trust policy accepts the key or, without --trust, if the key is one of your own
($VERILABEL_HOME/keys); another's key must be named in a trust policy. Without --trust everybody's dispute counts.
"""

from __future__ import annotations

import re
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from verilabel.cli import seal_options
from verilabel.cli.console import add_json_flag, plain, print_json
from verilabel.cli.statements import add_statements_option, load_statements
from verilabel.errors import ExitStatus, SealError, UsageError
from verilabel.evidence.requirements import Requirements, find_shortfalls, trust_own_keys
from verilabel.evidence.verification import Verification
from verilabel.report.wording import FLAG_SAYS, say_flag

SUMMARY = "exit 0 or 1: does this bundle's label meet what you require?"


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("bundle", type=Path, help="the bundle: a folder or a .zip")
    wanted = parser.add_mutually_exclusive_group(required=True)
    wanted.add_argument("--min", metavar="LEVEL", help="the level that must be granted")
    wanted.add_argument("--ruled-out", metavar="LEVEL", help="the level that must be ruled out")
    parser.add_argument(
        "--verification",
        choices=("V1", "V2s", "V2", "V3", "V4"),
        default="V2",
        help="verification level at least (default V2)",
    )
    parser.add_argument("--max-age", metavar="DAYSd", help="age of the label's plan at most, such as 180d")
    parser.add_argument(
        "--rubric", metavar="ID", help="the rubric that the label must be by, such as verilabel/core"
    )
    parser.add_argument(
        "--system",
        type=Path,
        metavar="FILE",
        help="descriptor (JSON) of the system in use; its scope must be equal",
    )
    parser.add_argument(
        "--forbid-flag",
        action="append",
        default=[],
        metavar="FLAG",
        help="a flag that the verification may not raise, such as suite_unknown or unwitnessed (repeatable)",
    )
    add_statements_option(parser)
    seal_options.add_trust_option(parser)
    add_json_flag(parser)


def run(args: Namespace) -> ExitStatus:
    """Check the bundle against the requirements."""
    from verilabel.detectors.catalogue import find_card
    from verilabel.evidence.verifier import verify_bundle
    from verilabel.suites.loading import find_suite

    _check_flag_names(args.forbid_flag)
    now = datetime.now(UTC)
    max_age = _days(args.max_age)
    trust = seal_options.open_trust(args) or trust_own_keys()
    found = verify_bundle(
        args.bundle,
        trust=trust,
        now=now,
        find_card=find_card,
        find_suite=find_suite,
        statements=load_statements(args.statements),
    )
    objections = [] if found.failure is None else [str(found.failure)]
    if args.trust is None and isinstance(found.failure, SealError) and found.failure.step == 3:
        objections.append(
            "without --trust only the keys in $VERILABEL_HOME/keys count, and the signer's is not there"
        )
    if found.failure is None:
        objections = _objections(args, found, now, max_age)
    if args.json:
        print_json(
            {
                "passed": not objections,
                "sentence": found.sentence,
                "objections": objections,
                "flags": list(found.flags),
            }
        )
    else:
        print(f"{'pass' if not objections else 'FAIL'}: {plain(found.sentence)}")
        for objection in objections:
            print(f"  - {plain(objection)}")
        if found.flags:
            print(f"flags: {plain(', '.join(found.flags))}")
    if found.failure is not None:
        return found.failure.status
    return ExitStatus.CHECK_FAILED if objections else ExitStatus.OK


def _objections(args: Namespace, found: Verification, now: datetime, max_age: timedelta | None) -> list[str]:
    requirements = Requirements(
        granted=args.min,
        ruled_out=args.ruled_out,
        verification=args.verification,
        max_age=max_age,
        rubric=args.rubric,
        flags_forbidden=tuple(args.forbid_flag),
    )
    words = {flag: say_flag(flag) for flag in args.forbid_flag}
    lacking = find_shortfalls(found, requirements, now=now, flag_words=words)
    objections = [shortfall.says for shortfall in lacking]
    return objections + _scope_objections(args, found)


def _check_flag_names(names: Sequence[str]) -> None:
    """Refuse a flag that does not exist: forbidding it would forbid nothing."""
    for name in names:
        if name not in FLAG_SAYS:
            raise UsageError(
                f"there is no flag {name!r}", where="--forbid-flag", hint=f"flags are {', '.join(FLAG_SAYS)}"
            )


def _scope_objections(args: Namespace, found: Verification) -> list[str]:
    if args.system is None:
        return []
    import msgspec

    from verilabel.errors import MalformedInput
    from verilabel.evidence.container import open_container
    from verilabel.evidence.layout import RUBRIC
    from verilabel.evidence.reading import read_document
    from verilabel.records.canonical import parse_json
    from verilabel.records.system import SystemDescriptor, scope_difference
    from verilabel.rubric.model import load_rubric

    assert found.system is not None, "a verification without failure has it"
    try:
        in_use = msgspec.convert(
            parse_json(args.system.read_bytes(), where=str(args.system)), SystemDescriptor
        )
    except msgspec.ValidationError as error:
        raise MalformedInput(str(error), where=str(args.system)) from error
    with open_container(args.bundle) as container:
        bind = load_rubric(read_document(container, RUBRIC), RUBRIC).scope.bind
    differing = scope_difference(found.system, in_use, bind)
    return [f"the label is for another system: {', '.join(differing)} differ"] if differing else []


def _days(text: str | None) -> timedelta | None:
    if text is None:
        return None
    match = re.fullmatch(r"([0-9]{1,5})d?", text)
    if match is None:
        raise UsageError(f"{text!r} is not a number of days", where="--max-age", hint="such as 180d")
    return timedelta(days=int(match[1]))
