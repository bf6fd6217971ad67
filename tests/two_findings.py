"""What the program and the second implementation find of one bundle, in one form that can be compared."""

from __future__ import annotations

from typing import Any

from verilabel.evidence.verification import Verification


def finding_here(found: Verification) -> dict[str, Any]:
    """The program's own finding."""
    failure = found.failure
    return {
        "level": str(found.level),
        "sentence": found.sentence,
        "flags": list(found.flags),
        "lacking_for_v4": list(found.lacking_for_v4),
        "root": found.root,
        "leaves": found.leaves,
        "signer": found.signer,
        "keyid": found.keyid,
        "validity": [found.issued, found.valid_until],
        "digests": [found.manifest_sha256, found.statement_sha256],
        "reason": None if failure else found.reason,
        "steps": [[step.number, step.outcome] for step in found.steps],
        "passed": [step.detail for step in found.steps if step.outcome in ("passed", "skipped")],
        "error": failure and failure.code,
        "where": failure and failure.where,
        "statements": [
            [s.kind, s.digest, s.signer, s.keyid, s.issued, s.counts, s.says, s.why, s.logged]
            for s in found.statements
        ],
        "tallies": {name: [tally.n, tally.events, tally.missing] for name, tally in found.tallies.items()},
    }


def finding_there(answer: dict[str, Any]) -> dict[str, Any]:
    """The second implementation's, as `conformance/second/verify.mjs` prints it."""
    failure = answer.get("failure")
    words = ("kind", "digest", "signer", "keyid", "issued", "counts", "says", "why", "logged")
    same = ("level", "sentence", "flags", "root", "leaves", "signer", "keyid")
    return {
        **{name: answer.get(name) for name in same},
        "lacking_for_v4": answer["lackingForV4"],
        "validity": [answer.get("issued"), answer.get("validUntil")],
        "digests": [answer.get("manifestDigest"), answer.get("statementDigest")],
        "reason": None if failure else answer["reason"],
        "steps": [[step["number"], step["outcome"]] for step in answer["steps"]],
        "passed": [step["detail"] for step in answer["steps"] if step["outcome"] in ("passed", "skipped")],
        "error": failure and failure["kind"],
        "where": failure and failure.get("where"),
        "statements": [[statement[word] for word in words] for statement in answer["statements"]],
        "tallies": {
            name: [tally["n"], tally["events"], tally["missing"]] for name, tally in answer["tallies"].items()
        },
    }
