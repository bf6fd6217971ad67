"""Steps 2 to 5: the bundle is whole, signed, speaks of its own parts, and stands in a log."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from verilabel.errors import MissingExtra, SealError
from verilabel.evidence import layout
from verilabel.evidence.acceptance import Accepted, Refused
from verilabel.evidence.consistency import check_consistency
from verilabel.evidence.container import Container, digest_of_file
from verilabel.evidence.envelope import open_envelope
from verilabel.evidence.identities.keyless import verify_keyless
from verilabel.evidence.identities.timestamps import check_timestamp
from verilabel.evidence.keys import KeyType, PublicKey, parse_public_file
from verilabel.evidence.log import Entry
from verilabel.evidence.manifest import check_presence, parse_manifest
from verilabel.evidence.note import OpenedProof, open_proof, parse_proof
from verilabel.evidence.reading import (
    read_document,
    read_label,
    read_plan,
    read_system,
)
from verilabel.evidence.results import rubric_canonical_bytes
from verilabel.evidence.statement import parse_statement
from verilabel.evidence.steps.state import Skipped, State
from verilabel.evidence.trust import TrustPolicy
from verilabel.records.canonical import digest
from verilabel.records.system import SystemDescriptor
from verilabel.rubric.model import load_rubric, takes_bundled_name

# -- 2 ------------------------------------------------------------------------------------------------------------


def check_manifest(state: State, hasher: ThreadPoolExecutor) -> str:
    data = read_document(state.container, layout.MANIFEST)
    manifest = state.manifest = parse_manifest(data)
    check_presence(manifest, state.container.sizes)
    for entry in manifest.entries:
        if entry.path == layout.EVIDENCE:  # hashed beside step 7, which reads the same bytes
            state.evidence_digest = hasher.submit(digest_of_file, state.container, entry.path)
        elif digest_of_file(state.container, entry.path) != entry.sha256:
            raise SealError("the file was changed: it does not have its digest", where=entry.path)
    return f"{len(manifest.entries)} files have their digests"


# -- 3 ------------------------------------------------------------------------------------------------------------


def check_signature(state: State) -> str:
    present = [p for p in (layout.ATTESTATION, layout.SIGNER_KEY) if p in state.container.sizes]
    if not present:
        state.short_of["V1"] = "it is not signed"
        raise Skipped("no signature")
    key = parse_public_file(read_document(state.container, layout.SIGNER_KEY), where=layout.SIGNER_KEY)
    if key.key_type is not KeyType.ED25519:
        raise SealError("a witness's key does not sign labels", where=layout.SIGNER_KEY)
    envelope = read_document(state.container, layout.ATTESTATION)
    opened = open_envelope(envelope, [key], where=layout.ATTESTATION)
    state.statement = parse_statement(opened.payload, where=layout.ATTESTATION)
    state.signer_key, state.signer = key, f"{key.name} ({key.keyid[:19]})"
    if state.trust is None:
        state.flags.extend(["signer_unpinned", *_unchecked(state, layout.KEYLESS, "keyless_unchecked")])
        return f"signed by {state.signer}; no trust policy says whose key that is"
    if state.trust.accepts_any_key:
        state.flags.append("trust_accepts_any_key")
    accepted = _accept_signer(state, state.trust, key, opened.payload)
    state.signer, state.signer_holders = accepted.name, accepted.holders
    return f"signed by {state.signer}"


def _accept_signer(state: State, trust: TrustPolicy, key: PublicKey, payload: bytes) -> Accepted:
    """What the policy calls the signer: by the key, or by a Sigstore identity that signed the same statement."""
    assert state.statement is not None, "it was just parsed"
    rubric, system = state.statement.predicate.rubric.id, state.statement.subject[0].name
    by_key = trust.accepts(key, role="labels", rubric=rubric, system=system)
    identities = trust.identities("labels")
    if layout.KEYLESS in state.container.sizes and identities:
        data = read_document(state.container, layout.KEYLESS)
        try:
            who = verify_keyless(
                data, payload, identities, trusted_root=trust.anchors.sigstore_root, where=layout.KEYLESS
            )
        except (MissingExtra, SealError) as error:
            if not by_key.accepted:
                raise SealError(error.message, where=layout.KEYLESS, hint=error.hint) from None
            state.flags.append("keyless_unchecked")
            return by_key
        state.flags.append("keyless")
        by_identity = trust.accepts_identity(who, role="labels", rubric=rubric, system=system)
        if by_identity.accepted:
            return by_identity
        by_key = by_key if by_key.accepted else by_identity
    else:
        state.flags.extend(_unchecked(state, layout.KEYLESS, "keyless_unchecked"))
    if isinstance(by_key, Refused):
        raise SealError(
            f"the signer's key {key.keyid[:19]}... is not one the trust policy accepts: {by_key.reason}",
            where=layout.ATTESTATION,
            hint="check the key's id with its owner by another way, then add it to the trust policy",
        )
    return by_key


def _unchecked(state: State, path: str, flag: str) -> list[str]:
    return [flag] if path in state.container.sizes else []


# -- 4 ------------------------------------------------------------------------------------------------------------


def check_statement(state: State) -> str:
    state.system = read_system(state.container)
    state.plan = read_plan(state.container)
    rubric_bytes = read_document(state.container, layout.RUBRIC)
    state.rubric = load_rubric(rubric_bytes, layout.RUBRIC)
    if rubric_canonical_bytes(rubric_bytes, layout.RUBRIC) != read_document(
        state.container, layout.RUBRIC_CANONICAL
    ):
        raise SealError("the rubric's two forms differ", where=layout.RUBRIC_CANONICAL)
    if takes_bundled_name(state.rubric):
        raise SealError(
            f"this is not the {state.rubric.name} that comes with this program", where=layout.RUBRIC
        )
    state.label = read_label(state.container)
    _check_system_prompt(state.container, state.system)
    if state.statement is None:
        raise Skipped("no statement")
    assert state.manifest is not None and state.signer_key is not None, "steps 2 and 3 passed"
    predicate = state.statement.predicate
    claims = (
        ("the manifest", predicate.manifest_sha256, state.manifest.digest),
        ("the system", state.statement.system_digest, state.system.digest),
        ("the system's name", state.statement.subject[0].name, state.system.name),
        ("the system's identity", predicate.identity, state.system.identity),
        ("the plan", predicate.plan.sha256, state.plan.digest),
        ("the rubric", predicate.rubric.sha256, digest(rubric_bytes)),
        ("the label", predicate.label_sha256, digest(state.label.bytes())),
        ("the signer's key", predicate.issuer.keyid, state.signer_key.keyid),
        ("the signer's name", predicate.issuer.name, state.signer_key.name),
    )
    for what, signed, found in claims:
        if signed != found:
            raise SealError(f"{what} is not the one that was signed", where=layout.ATTESTATION)
    return f"about system {state.system.digest[7:15]}, rubric {state.rubric.name}"


def _check_system_prompt(container: Container, system: SystemDescriptor) -> None:
    if layout.SYSTEM_PROMPT not in container.sizes:
        return  # it may be kept private: the descriptor's digest binds it
    if digest(read_document(container, layout.SYSTEM_PROMPT)) != system.system_prompt:
        raise SealError("the system prompt is not the system's", where=layout.SYSTEM_PROMPT)


# -- 5 ------------------------------------------------------------------------------------------------------------


def check_log(state: State) -> str:
    paths = (layout.PLAN_PROOF, layout.LABEL_PROOF, layout.LOG_KEY, layout.CONSISTENCY, layout.TIMESTAMP)
    present = [path for path in paths if path in state.container.sizes]
    if state.statement is None or not present:
        if present:
            raise SealError("log proofs without a signed statement", where=present[0])
        state.short_of.setdefault(
            "V1", "it is not in a log, so nothing shows that the plan came before the run"
        )
        raise Skipped("no log entry")
    assert state.plan is not None, "step 4 passed"
    key = parse_public_file(read_document(state.container, layout.LOG_KEY), where=layout.LOG_KEY)
    planned = _open_log_proof(state, layout.PLAN_PROOF, Entry("verilabel.plan/v1", state.plan.digest), key)
    logged = Entry("verilabel.label/v1", state.statement.digest)
    labelled = _open_log_proof(state, layout.LABEL_PROOF, logged, key)
    if planned.index != state.statement.predicate.plan.log_index or planned.index >= labelled.index:
        raise SealError("the plan was not logged before the label", where=layout.PLAN_PROOF)
    data = read_document(state.container, layout.CONSISTENCY)
    check_consistency(data, planned.checkpoint, labelled.checkpoint, where=layout.CONSISTENCY)
    if not labelled.cosignatures:
        state.flags.append("unwitnessed")
    if state.trust is None or not state.trust.accepts(key, role="log").accepted:
        state.flags.append("log_unpinned")
    return f"plan is entry {planned.index}, label entry {labelled.index} of {key.name}" + _check_time(state)


def _check_time(state: State) -> str:
    """What a time-stamp authority says, where one that the policy names stamped the statement."""
    if layout.TIMESTAMP not in state.container.sizes:
        return ""
    assert state.statement is not None, "a log entry belongs to a statement"
    if state.trust is None or not state.trust.anchors.authorities:
        state.flags.append("timestamp_unchecked")
        return ""
    data = read_document(state.container, layout.TIMESTAMP)
    try:
        stamped = check_timestamp(
            data, state.statement.bytes(), state.trust.anchors.authorities, where=layout.TIMESTAMP
        )
    except MissingExtra:
        state.flags.append("timestamp_unchecked")
        return ""
    state.flags.append("timestamped")
    return f"; seen by {stamped.authority} at {stamped.time:%Y-%m-%d %H:%M:%S} UTC"


def _open_log_proof(state: State, path: str, entry: Entry, key: PublicKey) -> OpenedProof:
    data = read_document(state.container, path)
    if parse_proof(data, where=path).extra is not None:
        raise SealError("the proof carries data that nothing authenticates", where=path)
    witnesses = state.trust.keys("witness") if state.trust is not None else ()
    quorum = state.trust.witness_quorum if state.trust is not None else 0
    opened = open_proof(data, entry.leaf, [key], witnesses, witness_quorum=quorum, where=path)
    if opened.unknown and "unknown_cosignatures" not in state.flags:
        state.flags.append("unknown_cosignatures")
    return opened
