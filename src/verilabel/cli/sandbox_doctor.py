"""`verilabel sandbox doctor` and `verify`: examine a box and sign what came of it; check what somebody signed."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from verilabel.cli.console import add_json_flag, plain, print_json, print_table
from verilabel.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from verilabel.evidence.others.containment import SignedContainment
    from verilabel.evidence.trust import TrustPolicy
    from verilabel.sandbox.probing.record import Examination, ProbeResult

MAX_DAYS = 3650
RESULTS = ("stopped", "open", "emulated", "informational", "error")
RED, YELLOW, PLAIN = "\x1b[31m", "\x1b[33m", "\x1b[0m"


def configure_doctor(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `doctor`."""
    from verilabel.cli.sandbox_options import add_box_options

    add_box_options(parser)
    parser.add_argument(
        "--heavy", action="store_true", help="also use up processes, memory, disk, output and time of the box"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write a signed containment attestation")
    parser.add_argument(
        "--key", metavar="NAME|FILE", default="default", help="signing key (default: the key named default)"
    )
    parser.add_argument(
        "--passphrase-env", metavar="VARIABLE", help="environment variable with the key's passphrase"
    )
    parser.add_argument("--force", action="store_true", help="replace what is at --out")
    parser.add_argument("--all", action="store_true", help="print every probe, not the groups alone")
    add_json_flag(parser)


def configure_verify(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `verify`."""
    from verilabel.cli.sandbox_options import add_user_option

    parser.add_argument("file", type=Path, metavar="FILE", help="a containment attestation")
    whose = parser.add_mutually_exclusive_group()
    whose.add_argument("--trust", type=Path, metavar="FILE", help="trust policy; the role is `attestations`")
    whose.add_argument(
        "--key-file", type=Path, metavar="FILE", help="the public key that must have signed it"
    )
    parser.add_argument(
        "--here", action="store_true", help="also ask whether it speaks for boxes on this machine now"
    )
    parser.add_argument(
        "--max-age-days",
        type=int,
        default=30,
        metavar="N",
        help="with --here: how old it may be (default 30)",
    )
    add_user_option(parser)
    parser.add_argument("--all", action="store_true", help="print every probe, not the groups alone")
    add_json_flag(parser)


# -- doctor --------------------------------------------------------------------------------------------------------


def run_doctor(args: argparse.Namespace) -> ExitStatus:
    """Examine a box, sign what was found where --out says, and print it."""
    from verilabel.cli import seal_options, signing
    from verilabel.cli.sandbox_options import box_spec
    from verilabel.errors import SandboxError
    from verilabel.evidence.atomic import write_file
    from verilabel.evidence.others.containment import sign_containment
    from verilabel.sandbox.doctor import run_examination
    from verilabel.sandbox.probing.apparmor import advise, read_restriction

    key = None
    if args.out is not None:
        signing.check_statement_out(args)
        key = seal_options.open_signing_key(args)
    try:
        examination = run_examination(box_spec(args), heavy=args.heavy)
    except SandboxError:
        advice = advise(read_restriction())
        if advice is not None and not args.json:
            print(advice, file=sys.stderr)
        raise
    signed = None
    if key is not None:
        signed = sign_containment(examination, key, signing.now_seconds())
        write_file(args.out, signed.data, overwrite=args.force)
    if args.json:
        print_json(_document(examination, signed))
    else:
        print_examination(examination, every=args.all)
        if signed is not None:
            print(f"\nattestation {signed.digest}, signed by {signed.signer.name}: {args.out}")
    return status_of(examination)


def status_of(examination: Examination) -> ExitStatus:
    """What the findings mean to whoever called: 1 where something escaped, 8 where something is not known."""
    if examination.escapes:
        return ExitStatus.CHECK_FAILED
    return ExitStatus.UNDETERMINED if examination.unanswered else ExitStatus.OK


def _document(examination: Examination, signed: SignedContainment | None) -> dict[str, object]:
    import msgspec

    document = {"examination": msgspec.to_builtins(examination), "escaped": bool(examination.escapes)}
    if signed is not None:
        document |= {
            "digest": signed.digest,
            "signer": signed.signer.name,
            "keyid": signed.signer.keyid,
            "issued": signed.predicate.issued,
        }
    return document


def print_examination(examination: Examination, *, every: bool) -> None:
    """Print a table by group, or by probe, and below it what was open or is not known."""
    achieved, environment = examination.achieved, examination.environment
    print(
        plain(
            f"{environment.provider}, level {achieved.level}: {', '.join(achieved.means) or 'no means'}; "
            f"kernel {environment.kernel}, user {environment.user}"
        )
    )
    for lack in achieved.lacking:
        print(plain(f"lacking: {lack}"))
    print()
    if every:
        print_table(
            ["probe", "answer", "by"], [(r.id, r.result, plain(r.detail)) for r in examination.results]
        )
    else:
        _print_groups(examination)
    print()
    bad = set(examination.escapes) | set(examination.exposed) | set(examination.unanswered)
    for result in examination.results:
        if result.id in bad:
            print(_line(result, examination))
    print(_verdict(examination))


def _print_groups(examination: Examination) -> None:
    groups = dict.fromkeys(result.group for result in examination.results)
    rows: list[list[object]] = []
    for group in groups:
        found: list[str] = [result.result for result in examination.results if result.group == group]
        rows.append([group, *(found.count(name) or "" for name in RESULTS)])
    print_table(["group", *RESULTS], rows)


def _line(result: ProbeResult, examination: Examination) -> str:
    words, colour = "exposed", YELLOW
    if result.id in examination.escapes:
        words, colour = "ESCAPED", RED
    elif result.id in examination.unanswered:
        words, colour = "not known", RED
    text = plain(f"{words}: {result.id}: {result.detail}")
    return f"{colour}{text}{PLAIN}" if _is_colourful() else text


def _is_colourful() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _verdict(examination: Examination) -> str:
    tried = len(examination.results)
    if examination.escapes:
        return f"{len(examination.escapes)} of {tried} probes escaped"
    if examination.unanswered:
        return f"nothing escaped, but {len(examination.unanswered)} of {tried} probes gave no answer"
    exposed = (
        f"; {len(examination.exposed)} stand open that this box claims nothing against"
        if examination.exposed
        else ""
    )
    return f"nothing escaped in {tried} probes{exposed}"


# -- verify --------------------------------------------------------------------------------------------------------


def run_verify(args: argparse.Namespace) -> ExitStatus:
    """Check an attestation: its signature, its form, that its verdict follows; and whether it counts."""
    from verilabel.evidence.others.containment import load_attestation

    if not 1 <= args.max_age_days <= MAX_DAYS:
        raise UsageError(f"from 1 to {MAX_DAYS} days", where=f"--max-age-days {args.max_age_days}")
    signed = load_attestation(args.file)
    trust = _policy(args)
    objections = _objections(args, signed, trust)
    if args.json:
        print_json(
            _document(signed.examination, signed)
            | {
                "objections": list(objections),
                "signer_unpinned": trust is None,
                "probes_known": signed.probes_are_known,
            }
        )
    else:
        print(f"genuine: {signed.digest}")
        pinned = "" if trust is not None else "; whose key that is, nobody asked (--trust or --key-file)"
        print(plain(f"signed by {signed.signer.name}, {signed.predicate.issued}{pinned}"))
        print_examination(signed.examination, every=args.all)
        if not signed.probes_are_known:
            print("the probes are another version's: whether any is missing cannot be said here")
        for objection in objections:
            print(plain(f"does not count: {objection}"))
    if objections:
        return ExitStatus.CHECK_FAILED
    return status_of(signed.examination)


def _policy(args: argparse.Namespace) -> TrustPolicy | None:
    from verilabel.cli.seal_options import open_trust
    from verilabel.evidence.keys import load_public
    from verilabel.evidence.trust import trust_keys

    if args.key_file is not None:
        return trust_keys(load_public(args.key_file), roles=("attestations",))
    return open_trust(args)


def _objections(
    args: argparse.Namespace, signed: SignedContainment, trust: TrustPolicy | None
) -> tuple[str, ...]:
    if args.here:
        return _objections_here(args, signed, trust)
    if trust is not None:
        decision = trust.accepts(signed.signer, role="attestations")
        if not decision.accepted:
            return (f"signed by {signed.signer.name}: {decision.reason}",)
    return ()


def _objections_here(
    args: argparse.Namespace, signed: SignedContainment, trust: TrustPolicy | None
) -> tuple[str, ...]:
    """Open a box of the same provider and ask whether the attestation speaks for it."""
    import asyncio

    from verilabel.cli import signing
    from verilabel.cli.sandbox_options import check_user
    from verilabel.evidence.others.containment import check_attestation
    from verilabel.sandbox.doctor import box_user
    from verilabel.sandbox.interface import BoxSpec, Containment
    from verilabel.sandbox.opening import open_box
    from verilabel.sandbox.probing.host import describe_environment

    check_user(args)
    spec = BoxSpec(provider=signed.environment.provider.split()[0], at_least="C0", uid=args.uid)
    user = box_user(spec)

    async def achieved() -> Containment:
        box = await open_box(spec)
        await box.close()
        return box.containment

    containment = asyncio.run(achieved())
    return check_attestation(
        signed,
        here=describe_environment(containment.provider, user),
        containment=containment,
        now=signing.now_seconds(),
        max_age=timedelta(days=args.max_age_days),
        trust=trust,
    )
