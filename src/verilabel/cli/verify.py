"""Check a bundle offline, step by step, and derive its label again from its evidence.

Needs no network and none of the packages for asking models. The level (V0 claimed, V1 signed, V2 recomputed, V3
replicated) is what this check finds, whatever the bundle says of itself.

Statements that others signed about the label (replications, disputes, withdrawals) lie in the bundle, or are given with
--statements; each is listed with whether it counts. --replica verifies the other party's bundle and derives its
replication again, which must give what was signed, byte for byte.

--rescore goes one link further back: every request must ask the suite's own sample, every answer must stand in its
response, and every score must be what its detector says of the answer again. It needs the suites' data; what cannot
be checked is counted and named.

examples:
  verilabel verify gpt.bundle
  verilabel verify gpt.zip --trust trust.yaml --json
  verilabel verify gpt.bundle --rescore --mirror data
  verilabel verify gpt.bundle --statements from-others --trust trust.yaml
  verilabel verify gpt.bundle --replica theirs.bundle --trust trust.yaml
  verilabel verify gpt.bundle --trust trust.yaml --page --open

exit status: 0 the steps hold; 1 the label does not follow or is not in force, or a score does not follow from its
answer, or a replication from its bundles; 3 or 4 the bundle was changed, or its signature, digests or log do not hold.
"""

from __future__ import annotations

import gc
import sys
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from verilabel.cli import seal_options
from verilabel.cli.console import add_json_flag, plain, plain_error, print_json
from verilabel.cli.statements import (
    add_statements_option,
    document_of_finding,
    load_statements,
    print_statements,
)
from verilabel.errors import CheckFailed, ExitStatus, UsageError, VerilabelError
from verilabel.evidence.verification import Level, Verification

if TYPE_CHECKING:
    from verilabel.evaluation.rescoring import Rescoring
    from verilabel.evidence.others.attestation import Replication

SUMMARY = "check a bundle offline and recompute its label; --page does it in the browser"
RECOMPUTED = "replication_recomputed"
MARKS = {"passed": "ok  ", "failed": "FAIL", "skipped": "-   ", "not_reached": "    "}


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("bundle", type=Path, nargs="?", help="the bundle: a folder or a .zip")
    parser.add_argument(
        "--page", action="store_true", help="serve the verifier's page on this machine, and check there"
    )
    parser.add_argument("--open", action="store_true", help="with --page: open it in the browser")
    seal_options.add_reference_option(parser)
    parser.add_argument(
        "--rescore", action="store_true", help="derive every score again from the recorded exchanges"
    )
    parser.add_argument(
        "--suite",
        action="append",
        default=[],
        metavar="ID|PATH",
        help="with --rescore: where a suite of the bundle lies, or inspect:TASK:ARGS (repeatable; default: by its id)",
    )
    parser.add_argument(
        "--mirror",
        type=Path,
        metavar="DIR",
        help="with --rescore: folder in which suites' data is looked for first",
    )
    parser.add_argument(
        "--replica",
        action="append",
        type=Path,
        default=[],
        metavar="BUNDLE",
        help="the bundle that a replication speaks of: derive the comparison again (repeatable)",
    )
    add_statements_option(parser)
    seal_options.add_trust_option(parser)
    add_json_flag(parser)


def run(args: Namespace) -> ExitStatus:
    """Verify the bundle, here or in the browser."""
    if args.page or args.open:
        return _serve(args)
    if args.bundle is None:
        raise UsageError(
            "the following arguments are required: bundle", hint="verilabel verify BUNDLE, or --page"
        )
    if (args.suite or args.mirror) and not args.rescore:
        raise UsageError("suites are read only to score again", hint="add --rescore")
    return _verify(args)


def _verify(args: Namespace) -> ExitStatus:
    from verilabel.detectors.catalogue import find_card
    from verilabel.evidence.verifier import verify_bundle
    from verilabel.suites.loading import find_suite

    gc.disable()  # a short process whose objects have no cycles: collecting only costs time
    trust, now = seal_options.open_trust(args), datetime.now(UTC)
    verified = [
        verify_bundle(path, trust=trust, now=now, find_card=find_card, find_suite=find_suite)
        for path in args.reference
    ]
    if failed := next((v.failure for v in verified if v.failure is not None), None):
        raise failed
    found = verify_bundle(
        args.bundle,
        trust=trust,
        now=now,
        references=verified,
        find_card=find_card,
        find_suite=find_suite,
        statements=load_statements(args.statements),
    )
    if found.failure is None:
        for path in args.replica:
            found = _with_replica(args, found, path)
    rescoring = None
    if args.rescore and _is_as_signed(found):
        rescoring = _rescore(args)
        found = _with_rescoring(found, rescoring)
    if args.json:
        extra = {} if not args.rescore else {"rescoring": rescoring and _rescoring_document(rescoring)}
        print_json(document_of(found) | extra)
    else:
        print_verification(found)
        if rescoring is not None:
            print_rescoring(rescoring)
        elif args.rescore:
            print("not scored again: the bundle is not what was sealed")
    return found.failure.status if found.failure else ExitStatus.OK


def _serve(args: Namespace) -> ExitStatus:
    """Show the page until it is interrupted."""
    from verilabel.browser.serving import serve_page

    if not args.page or args.json or args.rescore or args.replica or args.reference:
        raise UsageError(
            "the page does what the page can",
            hint="--page goes with a bundle, --trust, --statements and --open",
        )

    def announce(url: str) -> None:
        print(f"the verifier's page: {url}\nit ends with Ctrl-C", flush=True)

    serve_page(
        args.bundle, trust=args.trust, statements=args.statements, opens_browser=args.open, announce=announce
    )
    return ExitStatus.OK


def _with_replica(args: Namespace, found: Verification, path: Path) -> Verification:
    """The finding with a replication derived again from both bundles: where it does not follow, V3 is not reached."""
    import msgspec

    from verilabel.cli.signing import verify_for
    from verilabel.comparison.pairing import open_party
    from verilabel.comparison.replication import check_recomputed

    # whose key signed the replica is not asked of the policy: the replication names it, and that one is asked about
    other = verify_for(args, path, trusted=False)
    speaking = _replications_to_derive(args, found, other, path)
    try:
        original, replica = open_party(args.bundle, found), open_party(path, other)
        for replication in speaking:
            check_recomputed(replication, original, replica)
    except VerilabelError as error:
        error.message = f"the replication was not derived again from {path.name}: {error.message}"
        return msgspec.structs.replace(
            found, level=min(found.level, Level.V2), reason=error.message, failure=found.failure or error
        )
    return msgspec.structs.replace(found, flags=tuple(dict.fromkeys((*found.flags, RECOMPUTED))))


def _replications_to_derive(
    args: Namespace, found: Verification, other: Verification, path: Path
) -> list[Replication]:
    """The replications that speak of a replica in its own signer's name, those that count before others.

    Anybody may sign something about anybody's replica, so that a stranger's word on it neither fails nor passes here.
    Raises UsageError where there are none, or where the level rests on others that this bundle says nothing of.
    """
    from verilabel.evidence.others.attaching import read_enclosed
    from verilabel.evidence.others.attestation import Replication

    own: dict[str, Replication] = {}
    for signed in (*read_enclosed(args.bundle).values(), *load_statements(args.statements)):
        predicate = signed.attestation.predicate
        if isinstance(predicate, Replication) and signed.signer.keyid == other.keyid:
            own[signed.attestation.digest] = predicate
    speaking = {d: r for d, r in own.items() if r.replica.statement_sha256 == other.statement_sha256}
    if not speaking and other.failure is None:
        raise UsageError("no replication that is enclosed or given speaks of this bundle", where=str(path))
    counting = {s.digest for s in found.statements if s.kind == "replication" and s.counts}
    if speaking and counting and not counting & speaking.keys():
        raise UsageError(
            "the replication that speaks of this bundle does not count, and the level rests on another",
            where=str(path),
            hint="`verilabel statements show` says which counts",
        )
    return [r for d, r in speaking.items() if d in counting or not counting]


def _is_as_signed(found: Verification) -> bool:
    """True if the evidence is whole, whatever follows from it."""
    return all(step.outcome in ("passed", "skipped") for step in found.steps[:7])


def _rescore(args: Namespace) -> Rescoring:
    from verilabel.evaluation.finding import enclosed_suites, find_detectors, find_suites
    from verilabel.evaluation.rescoring import rescore_bundle
    from verilabel.evidence.container import open_container
    from verilabel.evidence.layout import RUBRIC
    from verilabel.evidence.reading import read_document, read_plan
    from verilabel.rubric.model import load_rubric

    with open_container(args.bundle) as container:
        plan = read_plan(container)
        enclosed = enclosed_suites(container, plan)
        suites = find_suites(plan, args.suite, mirror=args.mirror, enclosed=enclosed)
        rubric = load_rubric(read_document(container, RUBRIC), RUBRIC)
        return rescore_bundle(container, plan, suites, find_detectors(plan, rubric, suites))


def _with_rescoring(found: Verification, rescoring: Rescoring) -> Verification:
    """The finding with what scoring again says of it: a label on scores that do not follow is not recomputed."""
    import msgspec

    if not rescoring.mismatches:
        flag = "rescored" if rescoring.whole else "rescored_in_part"
        return msgspec.structs.replace(found, flags=(*found.flags, flag))
    first = rescoring.first[0]
    failure = CheckFailed(
        f"the label does not follow from the answers: {first.what} (sample {first.sample!r})",
        where=first.where,
        hint=f"{rescoring.mismatches} places in all" if rescoring.mismatches > 1 else None,
    )
    return msgspec.structs.replace(
        found,
        level=min(found.level, "V1"),
        reason=found.reason if found.level < "V2" else failure.message,
        flags=(*found.flags, "rescoring_failed"),
        failure=found.failure or failure,
    )


def _rescoring_document(rescoring: Rescoring) -> dict[str, object]:
    import msgspec

    document: dict[str, object] = msgspec.to_builtins(rescoring)
    return {"whole": rescoring.whole, **document}


def document_of(found: Verification) -> dict[str, object]:
    """The finding for programs."""
    failure = found.failure
    return {
        "level": found.level,
        "level_name": found.level_name,
        "sentence": found.sentence,
        "reason": found.reason,
        "lacking_for_v4": list(found.lacking_for_v4),
        "flags": list(found.flags),
        "steps": [
            {"number": s.number, "name": s.name, "outcome": s.outcome, "detail": s.detail}
            for s in found.steps
        ],
        "label": found.label.document() if found.label else None,
        "system": found.system.document() if found.system else None,
        "signer": found.signer,
        "keyid": found.keyid,
        "issued": found.issued,
        "valid_until": found.valid_until,
        "evidence_root": found.root,
        "records": found.leaves,
        "statements": [document_of_finding(statement) for statement in found.statements],
        "error": None
        if failure is None
        else {
            "error": failure.code,
            "message": failure.message,
            "where": failure.where,
            "hint": failure.hint,
        },
    }


def print_verification(found: Verification) -> None:
    """Print the sentence, the steps and the flags."""
    if found.failure is None:
        print(plain(found.sentence))
    for step in found.steps:
        print(f"  {MARKS[step.outcome]} {step.number:>2} {step.name:<10} {plain(step.detail)}".rstrip())
    print_statements(found.statements)
    if RECOMPUTED in found.flags:
        print("replication recomputed: both bundles give what was signed, byte for byte")
    print(f"level: {found.level_name} ({plain(found.reason)})")
    if found.flags:
        print(f"flags: {plain(', '.join(found.flags))}")
    if "signer_unpinned" in found.flags:
        print(
            f"note: nobody vouched for the signer's key {found.keyid}; pass --trust to say whose key counts"
        )
    if found.failure is not None:
        print(f"error: {plain_error(found.failure)}", file=sys.stderr)


def print_rescoring(rescoring: Rescoring) -> None:
    """Print what was scored again, what could not be, and where it differs."""
    checked = ", ".join(f"{count} {kind}" for kind, count in rescoring.checked.items()) or "nothing"
    print(f"scored again: {checked}")
    for item in rescoring.unchecked:
        print(f"  not checked: {item.count} {item.kind}: {plain(item.reason)}")
    if any("not at hand" in item.reason for item in rescoring.unchecked):
        print(
            "  hint: --suite PATH says where a suite lies, --mirror DIR where its data does; a task of Inspect is "
            "given as in the run, --suite inspect:TASK:ARGS"
        )
    for mismatch in rescoring.first:
        print(plain(f"  DIFFERS {mismatch.where} sample {mismatch.sample!r}: {mismatch.what}"))
    if rescoring.mismatches > len(rescoring.first):
        print(f"  and {rescoring.mismatches - len(rescoring.first)} more")
