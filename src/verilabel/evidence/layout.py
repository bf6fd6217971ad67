"""Where things lie in a bundle, and how large they may be. One place, so that writer and verifier agree."""

from __future__ import annotations

import re

from verilabel.errors import MalformedInput

BUNDLE_FORMAT = "verilabel/bundle/v1"
MANIFEST = "bundle.json"
SYSTEM = "subject/system.json"
SYSTEM_PROMPT = "subject/system-prompt.txt"
CONTAINMENT = "subject/containment.json"
"""The signed containment attestation of the sandbox that agents' programs ran in; its digest stands in episodes."""
RUBRIC = "rubric/rubric.yaml"
RUBRIC_CANONICAL = "rubric/rubric.jcs.json"
PLAN = "plan/plan.json"
SUITES = "suites/"
EVIDENCE = "records/evidence.jsonl"
OBSERVATIONS = "records/observations.jsonl"
SURPLUS = "records/surplus.jsonl"
MEASURES = "results/measures.json"
LABEL = "results/label.json"
ATTESTATION = "attestations/label.intoto.json"
SIGNER_KEY = "attestations/signer.pub"
PLAN_PROOF = "log/plan.tlog-proof"
LABEL_PROOF = "log/label.tlog-proof"
CONSISTENCY = "log/consistency.json"
LOG_KEY = "log/log.vkey"
KEYLESS = "attestations/label.sigstore.json"
TIMESTAMP = "log/label.tsr"
GIVEN = "attestations/given/"
"""Findings that the label's attested rows lean on, and audits of training data, signed before the label was.

Listed in the manifest."""
STATEMENTS = "statements/"
"""What others signed about the label or its system: replications, disputes, withdrawals, findings, audits."""

UNLISTED = (
    MANIFEST,
    ATTESTATION,
    SIGNER_KEY,
    PLAN_PROOF,
    LABEL_PROOF,
    CONSISTENCY,
    LOG_KEY,
    KEYLESS,
    TIMESTAMP,
)
"""Files that the manifest cannot list, because they are made from it; each is sealed in its own way."""

ROLES = {
    SYSTEM: "subject",
    SYSTEM_PROMPT: "subject",
    CONTAINMENT: "subject",
    RUBRIC: "rubric",
    RUBRIC_CANONICAL: "rubric",
    PLAN: "plan",
    EVIDENCE: "evidence",
    OBSERVATIONS: "observations",
    SURPLUS: "surplus",
    MEASURES: "results",
    LABEL: "results",
}
REQUIRED = (SYSTEM, RUBRIC, RUBRIC_CANONICAL, PLAN, EVIDENCE, OBSERVATIONS, SURPLUS, MEASURES, LABEL)

MAX_FILES = 1_000
MAX_STATEMENTS = 64
MAX_PATH = 200
MAX_DOCUMENT_BYTES = 64 * 2**20
MAX_JSON_BYTES = 8 * 2**20
"""Of a JSON document: its values take some forty times its size in memory while they are read."""
MAX_SUITE_FILE_BYTES = 2**20
MAX_SUITE_FILES_BYTES = 2 * 2**20
"""Of all suite files together: strict YAML is read slowly."""
MAX_LINE_BYTES = 32 * 2**20
MAX_BUNDLE_BYTES = 64 * 2**30

_PATH = re.compile(r"[A-Za-z0-9_@+-][A-Za-z0-9._@+-]*(/[A-Za-z0-9_@+-][A-Za-z0-9._@+-]*){0,3}")


def check_path(path: str) -> str:
    """A bundle path, checked: relative, plain characters, no dot-files, no parent references, at most four parts.

    Raises MalformedInput.
    """
    if len(path) > MAX_PATH or not _PATH.fullmatch(path):
        raise MalformedInput(f"path {path[:80]!r} may not stand in a bundle", where=MANIFEST)
    return path


def suite_files(suite: str) -> tuple[str, str]:
    """Paths of a suite's manifest and of its sample index, for a suite named `id@version`."""
    slug = suite.replace("/", "__")
    return f"{SUITES}{slug}.suite.yaml", f"{SUITES}{slug}.index.jsonl"


def is_unlisted(path: str) -> bool:
    """True for a file that the manifest cannot list, because it is made from it or after it."""
    return path in UNLISTED or (path.startswith(STATEMENTS) and path.endswith(".json"))


def role_of(path: str) -> str:
    """The role of a listed file. Raises MalformedInput for a path that has no role in this format."""
    if path in ROLES:
        return ROLES[path]
    if path.startswith(SUITES) and path.endswith((".suite.yaml", ".index.jsonl")):
        return "suite"
    if path.startswith(GIVEN) and path.endswith(".json"):
        return "attestation"
    raise MalformedInput(f"{path!r} has no role in a bundle of format {BUNDLE_FORMAT}", where=MANIFEST)
