"""A pytest plugin that notes every verification of a test run, so that another verifier can be asked the same.

The run itself is unchanged: every call goes through to the program. Of each bundle a copy is kept as it was when it was
verified, of trust policies and statements the files.

    VERILABEL_RECORDING=FOLDER PYTHONPATH=tests pytest -p verification_recorder tests/evidence/test_verifier.py

writes `FOLDER/cases.jsonl`, each line a case for `conformance/second/verify.mjs --cases` with what the program found.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any

from two_findings import finding_here
from verilabel.errors import MalformedInput
from verilabel.evidence import trust as rules
from verilabel.evidence import verifier
from verilabel.evidence.others.signed import Signed
from verilabel.evidence.trust import TrustPolicy
from verilabel.evidence.verification import Verification

RECORDING = "cases.jsonl"
PLACE = "VERILABEL_RECORDING"
"""The environment variable that names the folder of the recording."""
CATALOGUE = frozenset({"find_card", "find_suite"})
"""The program's own suites and detectors, which the second implementation lacks: noted is what is found without."""


def scope_document(scope: rules.Scope) -> dict[str, list[str]]:
    """The fields of a scope in a trust policy."""
    limits = {"roles": scope.roles, "rubrics": scope.rubrics, "systems": scope.systems}
    return {name: sorted(limit) for name, limit in limits.items() if limit is not None}


def rule_document(rule: rules.Rule) -> dict[str, Any]:
    """A rule as a trust policy writes it."""
    match rule:
        case rules.AcceptKey():
            return {"key": rule.key.line, "name": rule.name, **scope_document(rule.scope)}
        case rules.AcceptIdentity():
            named = {"identity": rule.identity.identity, "issuer": rule.identity.issuer}
            return {"sigstore": named, "name": rule.name, **scope_document(rule.scope)}
        case rules.WithinScope():
            return {"within": {"accept": rule_document(rule.rule), **scope_document(rule.scope)}}
        case rules.AnyOf():
            return {"any": [rule_document(part) for part in rule.rules]}
        case rules.AllOf():
            return {"all": [rule_document(part) for part in rule.rules]}
    return {"unsafe_accept_any_key": True}


def policy_text(trust: TrustPolicy) -> str:
    """A policy as a file: YAML in the form of JSON."""
    document = {"format": rules.TRUST_FORMAT, "witness_quorum": trust.witness_quorum}
    return json.dumps({**document, "accept": rule_document(trust.accept)}) + "\n"


def objection_to_policy(trust: TrustPolicy) -> str | None:
    """Why a policy that a test built has no file that says the same; None where it has one."""
    if trust.is_open_to_disputes:
        return "open to disputes: only `gate` asks so"
    try:
        rules.parse_trust(policy_text(trust).encode())
    except MalformedInput as error:
        return error.message
    return None


@dataclass
class Recorder:
    """What was verified so far, under the test that did it."""

    folder: Path
    test: str = ""
    cases: dict[int, tuple[Verification, dict[str, Any]]] = field(default_factory=dict)
    """Each finding, kept so that its identity stays its own, and the case that gave it."""

    def note(self, asked: dict[str, Any], path: Path, found: Verification, plain: Verification) -> None:
        """Add one verification: what was asked beside the path, what was found, and found without a catalogue."""
        trust: TrustPolicy | None = asked.get("trust")
        statements: Sequence[Signed] = asked.get("statements", ())
        case = {
            "test": self.test,
            "bundle": str(self._keep_bundle(path)),
            "was": str(path),
            "now": asked["now"].isoformat(),
            "trust": None,
            "left_out": None if trust is None else objection_to_policy(trust),
            "statements": [str(self._keep(signed.data, ".json")) for signed in statements],
            "references": [self.cases[id(reference)][1] for reference in asked.get("references", ())],
            "found": finding_here(plain),
        }
        if trust is not None and case["left_out"] is None:
            case["trust"] = str(self._keep(policy_text(trust).encode(), ".yaml"))
        self.cases[id(found)] = found, case
        with (self.folder / RECORDING).open("a") as lines:
            lines.write(json.dumps(case) + "\n")

    def _keep(self, data: bytes, suffix: str) -> Path:
        path = self.folder / (hashlib.sha256(data).hexdigest()[:32] + suffix)
        path.write_bytes(data)
        return path

    def _keep_bundle(self, path: Path) -> Path:
        if path.is_file():
            return self._keep(path.read_bytes(), ".zip")
        digest = hashlib.sha256(repr(list(walk_folder(path))).encode()).hexdigest()[:32]
        if not (self.folder / digest).exists():
            shutil.copytree(path, self.folder / digest, symlinks=True)
        return self.folder / digest


def walk_folder(folder: Path) -> Iterator[tuple[str, str]]:
    """Every path under a folder, with what tells its content from another's."""
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            content = str(path.readlink())
        else:
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        yield str(path.relative_to(folder)), content


def pytest_configure() -> None:
    """Notes from now on what `verify_bundle` is asked and what it finds."""
    RECORDERS.append(Recorder(Path(os.environ[PLACE])))
    verify = verifier.verify_bundle

    @wraps(verify)
    def verify_and_note(path: Path, **options: Any) -> Verification:
        found = verify(path, **options)
        asked = {name: value for name, value in options.items() if name not in CATALOGUE}
        plain = found if len(asked) == len(options) else verify(path, **asked)
        RECORDERS[-1].note(asked, path, found, plain)
        return found

    verifier.verify_bundle = verify_and_note


def pytest_runtest_logstart(nodeid: str) -> None:
    """Names the test in what it verifies."""
    RECORDERS[-1].test = nodeid


RECORDERS: list[Recorder] = []
