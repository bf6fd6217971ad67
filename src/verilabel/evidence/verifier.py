"""Checks a bundle offline, as if it were hostile, in numbered steps; the level is what the steps allow.

 1. container   plain files under plain names, nothing else; a zip in its one canonical form
 2. manifest    exactly the listed files, each in its size and digest
 3. signature   a DSSE envelope, verified before it is parsed, by a key that the trust policy accepts
 4. statement   it speaks of this system, plan, rubric and manifest, and names the key that signed
 5. log         plan and statement are in one log, the plan first, under checkpoints that are consistent
 6. plan        it is for this system and this rubric, on these suites, in one order that its seed fixes
 7. evidence    every line is canonical, and the lines hash to the signed Merkle root
 8. recount     the lines are the plan's committed prefix, and counting them gives the bundle's counts
 9. label       the rubric applied to those counts gives the bundle's label, byte for byte
10. validity    the label is in force at the time of reading

Steps 1 to 7 failing means that something was changed (SealError or MalformedInput); 8 and 9 that the label does
not follow from the evidence (CheckFailed); 10 that it is not in force. A bundle without a signature or a log entry
is V0; one whose steps 1 to 7 and 10 hold is V1; one that also passes 8 and 9 is V2 (label-semantics section 12).

The caller still owes: whether the signer is one to believe (a trust policy), whether the system is the one in use
(`records.system.scope_difference`), and whether the rubric asks the right questions.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import NoReturn

from verilabel.errors import CheckFailed, MalformedInput, SealError, VerilabelError
from verilabel.evidence import layout
from verilabel.evidence.consistency import check_consistency
from verilabel.evidence.container import Container, digest_of_file, open_container
from verilabel.evidence.counting import Recount, recount
from verilabel.evidence.envelope import open_envelope
from verilabel.evidence.keys import KeyType, PublicKey, parse_public_file
from verilabel.evidence.lines import EvidenceLine
from verilabel.evidence.log import Entry
from verilabel.evidence.manifest import Manifest, check_presence, parse_manifest
from verilabel.evidence.merkle import leaf_hashes, root_of
from verilabel.evidence.note import OpenedProof, open_proof, parse_proof
from verilabel.evidence.plan_checks import FindCard, FindSuite, check_plan, flags_of_cards, flags_of_suites
from verilabel.evidence.reading import (
    evidence_blocks,
    read_document,
    read_indexes,
    read_label,
    read_plan,
    read_system,
)
from verilabel.evidence.references import find_disagreement
from verilabel.evidence.results import measures_bytes, rubric_canonical_bytes
from verilabel.evidence.statement import Statement, parse_statement, parse_time
from verilabel.evidence.suite_checks import SuiteFacts, check_index, read_suite_files
from verilabel.evidence.surplus import find_hidden_attempt
from verilabel.evidence.trust import Refused, TrustPolicy
from verilabel.evidence.validity import find_objection
from verilabel.evidence.verification import Outcome, Step, Verification, level_of
from verilabel.records.canonical import digest
from verilabel.records.label import Label
from verilabel.records.plan import Plan
from verilabel.records.system import SystemDescriptor
from verilabel.rubric.decide import decide
from verilabel.rubric.model import load_rubric, takes_bundled_name
from verilabel.rubric.structure import Rubric

STEPS = (
    "container",
    "manifest",
    "signature",
    "statement",
    "log",
    "plan",
    "evidence",
    "recount",
    "label",
    "validity",
)


@dataclass
class _State:
    """What the steps have established so far."""

    path: Path
    trust: TrustPolicy | None
    now: datetime
    container: Container
    references: Sequence[Verification]
    find_card: FindCard | None
    find_suite: FindSuite | None
    manifest: Manifest | None = None
    signer_key: PublicKey | None = None
    signer: str | None = None
    statement: Statement | None = None
    system: SystemDescriptor | None = None
    plan: Plan | None = None
    rubric: Rubric | None = None
    label: Label | None = None
    root: str | None = None
    leaves: int = 0
    recounted: Recount | None = None
    departure: SealError | None = None
    """Where the evidence leaves the plan's committed order."""
    suites: Mapping[str, SuiteFacts] = field(default_factory=dict)
    hidden: str | None = None
    """Where the surplus holds an attempt at a counted answer."""
    flags: list[str] = field(default_factory=list)
    short_of: dict[str, str] = field(default_factory=dict)
    """Level to why it is not reached."""
    evidence_digest: Future[str] | None = None


class _Skipped(Exception):
    """A step that has nothing to check in this bundle; the message says what that costs."""


def verify_bundle(
    path: Path,
    *,
    trust: TrustPolicy | None = None,
    now: datetime,
    references: Sequence[Verification] = (),
    find_card: FindCard | None = None,
    find_suite: FindSuite | None = None,
) -> Verification:
    """Verify a bundle: a finding, never an exception for what is wrong inside it.

    Raises UsageError where there is no bundle at `path`. `now` needs a time zone. Without `trust` any key's signature
    counts for integrity, and the flag `signer_unpinned` says that nobody vouched for the key. `references` are the
    verified bundles of the reference systems. `find_card` (`detectors.catalogue`) and `find_suite` (`suites.loading`)
    tell the detectors and suites of this program from others of their names.
    """
    steps: list[Step] = []
    state: _State | None = None
    failure: VerilabelError | None = None
    try:
        with open_container(path) as container, ThreadPoolExecutor(max_workers=1) as hasher:
            state = _State(path, trust, now, container, references, find_card, find_suite)
            steps.append(Step(1, STEPS[0], "passed", f"{len(container.sizes)} files"))
            failure = _run_steps(state, hasher, steps)
    except (MalformedInput, SealError) as error:
        steps.append(Step(1, STEPS[0], "failed", error.message))
        failure = _numbered(error, 1)
    for number in range(len(steps) + 1, len(STEPS) + 1):
        steps.append(Step(number, STEPS[number - 1], "not_reached"))
    return _conclude(state, steps, failure)


def _run_steps(state: _State, hasher: ThreadPoolExecutor, steps: list[Step]) -> VerilabelError | None:
    checks: tuple[Callable[[_State], str], ...] = (
        lambda s: _check_manifest(s, hasher),
        _check_signature,
        _check_statement,
        _check_log,
        _check_plan,
        _check_evidence,
        _check_recount,
        _check_label,
        _check_validity,
    )
    for number, check in enumerate(checks, 2):
        outcome: Outcome = "passed"
        try:
            detail = check(state)
        except _Skipped as skipped:
            outcome, detail = "skipped", str(skipped)
        except VerilabelError as error:
            steps.append(Step(number, STEPS[number - 1], "failed", error.message))
            if STEPS[number - 1] in ("recount", "label"):
                _note_validity(state)
            return _numbered(error, number)
        steps.append(Step(number, STEPS[number - 1], outcome, detail))
    return None


def _note_validity(state: _State) -> None:
    """V1 needs step 10 too: a label that does not follow and has expired is V0."""
    with suppress(CheckFailed, _Skipped):
        _check_validity(state)


def _numbered(error: VerilabelError, number: int) -> VerilabelError:
    error.message = f"step {number} ({STEPS[number - 1]}): {error.message}"
    if isinstance(error, SealError):
        error.step = number
    return error


# -- 2 ------------------------------------------------------------------------------------------------------------


def _check_manifest(state: _State, hasher: ThreadPoolExecutor) -> str:
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


def _check_signature(state: _State) -> str:
    present = [p for p in (layout.ATTESTATION, layout.SIGNER_KEY) if p in state.container.sizes]
    if not present:
        state.short_of["V1"] = "it is not signed"
        raise _Skipped("no signature")
    key = parse_public_file(read_document(state.container, layout.SIGNER_KEY), where=layout.SIGNER_KEY)
    if key.key_type is not KeyType.ED25519:
        raise SealError("a witness's key does not sign labels", where=layout.SIGNER_KEY)
    envelope = read_document(state.container, layout.ATTESTATION)
    opened = open_envelope(envelope, [key], where=layout.ATTESTATION)
    state.statement = parse_statement(opened.payload, where=layout.ATTESTATION)
    state.signer_key, state.signer = key, f"{key.name} ({key.keyid[:19]})"
    if state.trust is None:
        state.flags.append("signer_unpinned")
        return f"signed by {state.signer}; no trust policy says whose key that is"
    rubric = state.statement.predicate.rubric.id
    verdict = state.trust.accepts(key, role="labels", rubric=rubric, system=state.statement.subject[0].name)
    if isinstance(verdict, Refused):
        raise SealError(
            f"the signer's key {key.keyid[:19]}... is not one the trust policy accepts: {verdict.reason}",
            where=layout.ATTESTATION,
            hint="check the key's id with its owner by another way, then add it to the trust policy",
        )
    if state.trust.accepts_any_key:
        state.flags.append("trust_accepts_any_key")
    state.signer = verdict.name
    return f"signed by {verdict.name}"


# -- 4 ------------------------------------------------------------------------------------------------------------


def _check_statement(state: _State) -> str:
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
        raise _Skipped("no statement")
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


def _check_log(state: _State) -> str:
    paths = (layout.PLAN_PROOF, layout.LABEL_PROOF, layout.LOG_KEY, layout.CONSISTENCY)
    present = [path for path in paths if path in state.container.sizes]
    if state.statement is None or not present:
        if present:
            raise SealError("log proofs without a signed statement", where=present[0])
        state.short_of.setdefault(
            "V1", "it is not in a log, so nothing shows that the plan came before the run"
        )
        raise _Skipped("no log entry")
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
    return f"plan is entry {planned.index}, label entry {labelled.index} of {key.name}"


def _open_log_proof(state: _State, path: str, entry: Entry, key: PublicKey) -> OpenedProof:
    data = read_document(state.container, path)
    if parse_proof(data, where=path).extra is not None:
        raise SealError("the proof carries data that nothing authenticates", where=path)
    witnesses = state.trust.keys("witness") if state.trust is not None else ()
    quorum = state.trust.witness_quorum if state.trust is not None else 0
    opened = open_proof(data, entry.leaf, [key], witnesses, witness_quorum=quorum, where=path)
    if opened.unknown and "unknown_cosignatures" not in state.flags:
        state.flags.append("unknown_cosignatures")
    return opened


# -- 6 ------------------------------------------------------------------------------------------------------------


def _check_plan(state: _State) -> str:
    assert state.plan is not None and state.system is not None and state.rubric is not None, "step 4 passed"
    plan = state.plan
    if plan.system_sha256 != state.system.digest:
        raise SealError("the plan is for another system", where=layout.PLAN)
    if plan.rubric != state.rubric.reference:
        raise SealError("the plan is for another rubric", where=layout.PLAN)
    check_plan(plan, state.rubric, state.system)
    if state.find_card is not None:
        state.flags.extend(flags_of_cards(plan, state.find_card))
    if state.find_suite is not None:
        state.flags.extend(flags_of_suites(plan, state.find_suite))
    for stream in plan.streams:
        path, index = layout.suite_files(stream.suite)
        if digest(read_document(state.container, path)) != stream.suite_sha256:
            raise SealError(f"suite {stream.suite} is not the planned one", where=path)
        if digest(read_document(state.container, index)) != stream.index_sha256:
            raise SealError(f"the index of {stream.suite} is not the planned one", where=index)
    state.suites = read_suite_files(state.container, plan)
    return f"{plan.design} design, {len(plan.streams)} suites, {len(plan.measures)} measures"


# -- 7 and 8 ------------------------------------------------------------------------------------------------------


def _check_evidence(state: _State) -> str:
    assert state.plan is not None and state.manifest is not None and state.evidence_digest is not None
    plan = state.plan
    indexes = read_indexes(state.container, plan)
    for stream in plan.streams:
        check_index(stream, indexes[stream.suite], state.suites[stream.suite])
    hashes: list[bytes] = []
    lines = chain.from_iterable(_hashed_blocks(state.container, hashes))
    try:
        state.recounted = recount(plan, indexes, lines)
    except SealError as error:
        # step 8's finding; first it must be known whether the lines are the signed ones
        state.departure = error
    deque(lines, maxlen=0)  # to the end, where the walk left them
    if state.recounted is not None:
        state.hidden = find_hidden_attempt(state.container, state.recounted.streams)
    state.leaves, state.root = len(hashes), "sha256:" + root_of(hashes).hex()
    listed = next(e.sha256 for e in state.manifest.entries if e.path == layout.EVIDENCE)
    if state.evidence_digest.result() != listed:
        raise SealError("the file was changed: it does not have its digest", where=layout.EVIDENCE)
    if state.statement is not None:
        signed = state.statement.predicate.evidence
        if (signed.root, signed.leaves) != (state.root, state.leaves):
            raise SealError("the evidence does not hash to the signed Merkle root", where=layout.EVIDENCE)
    return f"{state.leaves} records under {state.root[:19]}..."


def _hashed_blocks(container: Container, hashes: list[bytes]) -> Iterator[list[EvidenceLine]]:
    for block, records in evidence_blocks(container):
        hashes.extend(leaf_hashes(block.split(b"\n")[:-1]))
        yield records


def _check_recount(state: _State) -> str:
    if state.departure is not None:
        _does_not_follow(
            state,
            f"the evidence does not follow the plan: {state.departure.message}",
            state.departure.where or layout.EVIDENCE,
        )
    assert state.recounted is not None and state.plan is not None, "step 7 passed"
    if state.hidden is not None:
        _does_not_follow(state, "an attempt at a counted answer was kept out of the count", state.hidden)
    if measures_bytes(state.recounted) != read_document(state.container, layout.MEASURES):
        _does_not_follow(state, "the bundle's counts are not those of its evidence", layout.MEASURES)
    if state.plan.design == "fixed":
        for stream in state.recounted.streams:
            if stream.consumed != stream.length:
                _does_not_follow(
                    state,
                    f"a fixed plan stopped {stream.stream.suite} after {stream.consumed} of {stream.length} answers",
                    layout.EVIDENCE,
                )
    if len(state.recounted.served) > 1:
        state.flags.append("served_model_varied")
    if state.recounted.set_aside:
        state.flags.append("responses_set_aside")
    if state.recounted.judged_again:
        state.flags.append("judge_asked_again")
    answers = sum(stream.consumed for stream in state.recounted.streams)
    return f"{answers} answers counted again in the committed order"


def _does_not_follow(state: _State, message: str, where: str) -> NoReturn:
    state.short_of["V2"] = message
    raise CheckFailed(message, where=where)


# -- 9 and 10 -----------------------------------------------------------------------------------------------------


def _check_label(state: _State) -> str:
    assert (
        state.recounted is not None
        and state.rubric is not None
        and state.plan is not None
        and state.label is not None
    )
    derived = decide(
        state.rubric,
        state.recounted.tallies(),
        design=state.plan.design,
        references=state.plan.reference_tallies(),
    )
    if derived.bytes() != state.label.bytes():
        _does_not_follow(
            state,
            f"the label does not follow from the evidence, which gives: {derived.sentence}",
            layout.LABEL,
        )
    state.flags.extend(derived.flags)
    _check_references(state, state.plan)
    return derived.sentence


def _check_references(state: _State, plan: Plan) -> None:
    """The reference's counts are taken from the plan, and compared where its own bundle was verified."""
    for planned in plan.references:
        reference = next((v for v in state.references if v.manifest_sha256 == planned.manifest_sha256), None)
        if reference is None:
            state.flags.append("reference_not_recomputed")
            state.short_of["V2"] = (
                f"the counts of the reference system for {planned.tally.measure} are in another bundle; pass it too"
            )
        elif (disagreement := find_disagreement(planned, plan, reference)) is not None:
            _does_not_follow(state, disagreement, layout.PLAN)


def _check_validity(state: _State) -> str:
    assert state.system is not None and state.rubric is not None and state.plan is not None, "step 4 passed"
    state.flags.append(f"identity:{state.system.identity}")
    if state.plan.imported is not None:
        state.flags.append("imported")
    if state.statement is None:
        raise _Skipped("unsigned labels have no validity")
    predicate = state.statement.predicate
    if (objection := find_objection(predicate, state.plan, state.rubric, state.now)) is not None:
        state.short_of["V1"] = objection.why
        state.flags.extend([objection.flag] if objection.flag else [])
        raise objection.error
    state.flags.append("current")
    return f"in force until {parse_time(predicate.valid_until, where=layout.ATTESTATION):%d %B %Y}"


def _conclude(state: _State | None, steps: list[Step], failure: VerilabelError | None) -> Verification:
    if state is None:
        return Verification(level="V0", reason=str(failure), steps=tuple(steps), failure=failure)
    level, reason = level_of(steps, state.short_of, failure)
    predicate = state.statement.predicate if state.statement else None
    return Verification(
        level=level,
        reason=reason,
        steps=tuple(steps),
        flags=tuple(dict.fromkeys(state.flags)),
        label=state.label,
        system=state.system,
        plan=state.plan,
        signer=state.signer,
        keyid=state.signer_key.keyid if state.signer_key else None,
        issued=predicate.issued if predicate else None,
        valid_until=predicate.valid_until if predicate else None,
        root=state.root,
        leaves=state.leaves,
        tallies=state.recounted.tallies() if state.recounted else {},
        manifest_sha256=state.manifest.digest if state.manifest else None,
        failure=failure,
    )
