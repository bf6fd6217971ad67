"""What others signed about a label: replications, disputes, withdrawals, findings, audits of training data.

`statements show` verifies a bundle and says of each statement in it, and of those given with --statements, whether it
counts and why not. `attach` puts statements into a bundle; nothing that was signed changes by that. `check` looks at
one file alone: the signature, the form and the log's proof, and not whether its signer counts.

examples:
  verilabel statements show gpt.bundle --trust trust.yaml
  verilabel statements attach gpt.bundle replication.json dispute.json
  verilabel statements check dispute.json --json
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
    from verilabel.evidence.others.audit import DataAudit
    from verilabel.evidence.others.signed import Signed
    from verilabel.evidence.verification import StatementFinding

SUMMARY = "show, check and attach what others signed about a label"


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    show = actions.add_parser("show", help="all statements about a label", allow_abbrev=False)
    show.add_argument("bundle", type=Path, help="the bundle: a folder or a .zip")
    add_statements_option(show)
    seal_options.add_trust_option(show)
    attach = actions.add_parser("attach", help="put statements into a bundle", allow_abbrev=False)
    attach.add_argument("bundle", type=Path, help="the bundle: a folder or a .zip")
    attach.add_argument("files", type=Path, nargs="+", metavar="FILE", help="signed statements")
    check = actions.add_parser("check", help="check one statement alone", allow_abbrev=False)
    check.add_argument("file", type=Path, metavar="FILE", help="a signed statement")
    for action in (show, attach, check):
        add_json_flag(action)


def add_statements_option(parser: ArgumentParser) -> None:
    """The option that names statements which lie beside a bundle."""
    parser.add_argument(
        "--statements",
        action="append",
        type=Path,
        default=[],
        metavar="FILE|DIR",
        help="signed statements beside the bundle: a file, or all .json files of a folder (repeatable)",
    )


def load_statements(places: list[Path]) -> list[Signed]:
    """The signed statements in files and folders. Raises UsageError where there is none, and as `load_signed`."""
    from verilabel.evidence.layout import MAX_STATEMENTS
    from verilabel.evidence.others.signed import load_signed

    files: list[Path] = []
    for place in places:
        found = sorted(place.glob("*.json")) if place.is_dir() else [place]
        if not found:
            raise UsageError("there are no statements (.json) in this folder", where=str(place))
        files += found
    if len(files) > MAX_STATEMENTS:
        raise UsageError(f"{len(files)} statements, {MAX_STATEMENTS} are read at once")
    return [load_signed(file) for file in files]


def run(args: Namespace) -> ExitStatus:
    """Carry out one action on statements."""
    actions = {"show": _show, "attach": _attach, "check": _check}
    return actions[args.action](args)


# -- show ----------------------------------------------------------------------------------------------------------


def _show(args: Namespace) -> ExitStatus:
    from verilabel.detectors.catalogue import find_card
    from verilabel.evidence.verifier import verify_bundle
    from verilabel.suites.loading import find_suite

    found = verify_bundle(
        args.bundle,
        trust=seal_options.open_trust(args),
        now=datetime.now(UTC),
        find_card=find_card,
        find_suite=find_suite,
        statements=load_statements(args.statements),
    )
    if args.json:
        print_json(
            {
                "level": found.level,
                "flags": list(found.flags),
                "statements": [document_of_finding(s) for s in found.statements],
            }
        )
    else:
        print(f"{found.level_name} ({plain(found.reason)})")
        print_statements(found.statements)
        if not found.statements:
            print("nobody signed anything about this label that is enclosed or given")
    if found.failure is not None:
        raise found.failure
    return ExitStatus.OK


def document_of_finding(found: StatementFinding) -> dict[str, object]:
    """What was found of a statement, for programs."""
    return {
        "kind": found.kind,
        "digest": found.digest,
        "signer": found.signer,
        "keyid": found.keyid,
        "issued": found.issued,
        "counts": found.counts,
        "says": found.says,
        "why": found.why,
        "logged": found.logged,
    }


def print_statements(findings: tuple[StatementFinding, ...]) -> None:
    """Print one line a statement: what it says, who signed it, whether it counts."""
    for found in findings:
        logged = ", logged" if found.logged else ""
        verdict = "counts" if found.counts else f"does not count: {found.why}"
        print(
            plain(
                f"{found.kind} {found.digest[7:23]} ({found.says}) by {found.signer}, {found.issued[:10]}{logged}: "
                f"{verdict}"
            )
        )


# -- attach, check -------------------------------------------------------------------------------------------------


def _attach(args: Namespace) -> ExitStatus:
    from verilabel.evidence.others.attaching import attach_statements

    done = attach_statements(args.bundle, load_statements(args.files))
    if args.json:
        print_json(
            {
                "bundle": str(args.bundle),
                "added": [signed.attestation.digest for signed in done.added],
                "already_there": [signed.attestation.digest for signed in done.already_there],
            }
        )
        return ExitStatus.OK
    for word, items in (("added", done.added), ("already there", done.already_there)):
        for signed in items:
            print(plain(f"{word}: {signed.attestation.kind} {signed.file_name} by {signed.signer.name}"))
    print(f"verify: verilabel verify {args.bundle}")
    return ExitStatus.OK


def _check(args: Namespace) -> ExitStatus:
    from verilabel.evidence.others.signed import load_signed
    from verilabel.records.canonical import parse_json

    signed = load_signed(args.file)
    attestation = signed.attestation
    if args.json:
        print_json(
            {
                "kind": attestation.kind,
                "digest": attestation.digest,
                "about": attestation.about,
                "signer": signed.signer.name,
                "keyid": signed.signer.keyid,
                "log": None if signed.log_key is None else signed.log_key.line,
                "statement": parse_json(attestation.payload, where=str(args.file)),
            }
        )
        return ExitStatus.OK
    log = "not logged" if signed.log_key is None else f"in the log {signed.log_key.name}"
    facts = [
        ("kind", attestation.kind),
        ("about", f"{attestation.about} ({attestation.subject.name})"),
        ("signed by", f"{signed.signer.name}, key {signed.signer.keyid}"),
        ("issued", attestation.predicate.issued),
        ("log", log),
        *_facts_of(signed),
    ]
    print(f"genuine: {attestation.digest}")
    for name, text in facts:
        print(f"  {plain(name):<13} {plain(text)}")
    print("whose key that is, and whether it counts, is for a trust policy: `verilabel verify --trust`")
    return ExitStatus.OK


def _facts_of(signed: Signed) -> list[tuple[str, str]]:
    from verilabel.evidence.others.attestation import Dispute, Finding, Replication, Withdrawal
    from verilabel.evidence.others.audit import DataAudit

    match signed.attestation.predicate:
        case Replication() as found:
            comparison = found.comparison
            return [
                ("verdict", f"{comparison.verdict}; label {comparison.label}"),
                ("margin", f"{comparison.margin} at alpha {comparison.alpha}"),
                ("original", found.original.label),
                ("replica", f"{found.replica.label} ({found.replica.statement_sha256[:19]}...)"),
                ("independence", found.independence),
            ]
        case Dispute() as objection:
            listed = [("evidence", f"{e.name} {e.sha256}") for e in objection.evidence]
            return [
                ("grounds", ", ".join(objection.grounds)),
                ("rows", ", ".join(objection.rows) or "all"),
                ("text", objection.text),
                *listed,
            ]
        case Withdrawal() as withdrawal:
            return [("reason", withdrawal.reason), ("superseded by", withdrawal.superseded_by or "nothing")]
        case Finding() as finding:
            return [
                ("name", finding.name),
                ("role", finding.role),
                ("valid until", finding.valid_until),
                ("text", finding.text),
            ]
        case DataAudit() as audit:
            return _facts_of_audit(audit)
    return []


def _facts_of_audit(audit: DataAudit) -> list[tuple[str, str]]:
    from verilabel.evidence.others.audit import AUDIT_LIMIT

    read = audit.audit
    found = [
        (
            m.benchmark[:40],
            f"{m.items_matched} of {m.items} items ({m.unchecked} cannot be told from chance), in {m.documents} "
            f"documents ({m.benchmark_sha256})",
        )
        for m in audit.contamination
    ]
    bounds = [
        (
            s.kind,
            f"{s.found_documents} documents; at most {s.bound_per_million} in a million ({s.basis}, {s.method})",
        )
        for s in audit.statements
    ]
    return [
        ("relation", audit.relation),
        ("data set", read.dataset_root),
        ("manifest", read.manifest_sha256),
        ("documents", f"{read.documents_read} of {read.documents} read, {read.bytes_text} bytes of text"),
        ("checks", ", ".join(f"{check.name} {check.version}" for check in audit.checks)),
        ("confidence", read.confidence),
        ("valid until", audit.valid_until),
        *found,
        *bounds,
        *((f"planted {c.kind}", f"{c.found} of {c.planted} found") for c in audit.canaries),
        ("text", audit.text),
        ("limit", AUDIT_LIMIT),
    ]
