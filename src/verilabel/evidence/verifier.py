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
11. statements  what others signed about it is genuine; what of it counts is named, and what V4 still lacks

Steps 1 to 7 failing means that something was changed (SealError or MalformedInput); 8 and 9 that the label does
not follow from the evidence (CheckFailed); 10 that it is not in force; 11 that a
statement is not genuine, or that the issuer withdrew the label. A bundle without a signature or a log entry
is V0; one whose steps 1 to 7 and 10 hold is V1; one that also passes 8 and 9 is V2,
with a replication that counts V3, and with audits and findings that count as well V4 (label-semantics section 12). With
withheld records it is V2s instead of all three.

The caller still owes: whether the signer is one to believe (a trust policy), whether the system is the one in use
(`records.system.scope_difference`), and whether the rubric asks the right questions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from verilabel.errors import MalformedInput, SealError, VerilabelError
from verilabel.evidence.container import open_container
from verilabel.evidence.others.signed import Signed
from verilabel.evidence.plan_checks import FindCard, FindSuite
from verilabel.evidence.steps.derivation import check_evidence, check_label, check_plan, check_recount
from verilabel.evidence.steps.seals import check_log, check_manifest, check_signature, check_statement
from verilabel.evidence.steps.standing import check_validity
from verilabel.evidence.steps.state import Skipped, State
from verilabel.evidence.steps.statements import check_statements
from verilabel.evidence.trust import TrustPolicy
from verilabel.evidence.verification import Level, Outcome, Step, Verification, level_of

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
    "statements",
)


def verify_bundle(
    path: Path,
    *,
    trust: TrustPolicy | None = None,
    now: datetime,
    references: Sequence[Verification] = (),
    find_card: FindCard | None = None,
    find_suite: FindSuite | None = None,
    statements: Sequence[Signed] = (),
) -> Verification:
    """Verify a bundle: a finding, never an exception for what is wrong inside it.

    Raises UsageError where there is no bundle at `path`. `now` needs a time zone. Without `trust` any key's signature
    counts for integrity, and the flag `signer_unpinned` says that nobody vouched for the key. `references` are the
    verified bundles of the reference systems. `find_card` (`detectors.catalogue`) and `find_suite` (`suites.loading`)
    tell the detectors and suites of this program from others of their names. `statements` are signed
    statements about the label that do not lie in the bundle itself.
    """
    steps: list[Step] = []
    state: State | None = None
    failure: VerilabelError | None = None
    try:
        with open_container(path) as container, ThreadPoolExecutor(max_workers=1) as hasher:
            state = State(path, trust, now, container, references, find_card, find_suite, statements)
            steps.append(Step(1, STEPS[0], "passed", f"{len(container.sizes)} files"))
            failure = _run_steps(state, hasher, steps)
    except (MalformedInput, SealError) as error:
        steps.append(Step(1, STEPS[0], "failed", error.message))
        failure = _numbered(error, 1)
    for number in range(len(steps) + 1, len(STEPS) + 1):
        steps.append(Step(number, STEPS[number - 1], "not_reached"))
    return _conclude(state, steps, failure)


def _run_steps(state: State, hasher: ThreadPoolExecutor, steps: list[Step]) -> VerilabelError | None:
    checks: tuple[Callable[[State], str], ...] = (
        lambda s: check_manifest(s, hasher),
        check_signature,
        check_statement,
        check_log,
        check_plan,
        check_evidence,
        check_recount,
        check_label,
        check_validity,
        check_statements,
    )
    for number, check in enumerate(checks, 2):
        outcome: Outcome = "passed"
        try:
            detail = check(state)
        except Skipped as skipped:
            outcome, detail = "skipped", str(skipped)
        except VerilabelError as error:
            steps.append(Step(number, STEPS[number - 1], "failed", error.message))
            _note_standing(state, STEPS[number - 1])
            return _numbered(error, number)
        steps.append(Step(number, STEPS[number - 1], outcome, detail))
    return None


def _note_standing(state: State, failed: str) -> None:
    """What the last steps say where an earlier one of the label failed; each on its own, and none is passed by that.

    V1 needs them too: a label that does not follow and has expired or was withdrawn is V0. One that has expired and
    was withdrawn is shown as both.
    """
    if failed in ("recount", "label"):
        with suppress(VerilabelError, Skipped):
            check_validity(state)
    if failed in ("recount", "label", "validity"):
        with suppress(VerilabelError, Skipped):
            check_statements(state)


def _numbered(error: VerilabelError, number: int) -> VerilabelError:
    error.message = f"step {number} ({STEPS[number - 1]}): {error.message}"
    if isinstance(error, SealError):
        error.step = number
    return error


def _conclude(state: State | None, steps: list[Step], failure: VerilabelError | None) -> Verification:
    if state is None:
        return Verification(level=Level.V0, reason=str(failure), steps=tuple(steps), failure=failure)
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
        statement_sha256=state.statement.digest if state.statement else None,
        statements=state.statements,
        lacking_for_v4=state.lacking_for_v4,
        failure=failure,
    )
