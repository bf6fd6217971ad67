"""Step 11: what others signed about a label is genuine; which of it counts, and what it changes.

A replication counts towards V3 where its signer is independent (another key, which the trust policy names for the
role `replications`), asked the same system for the same measures and kept records of its own, and came to a label that
contains the granted level (label-semantics section 12). A dispute counts where the policy names its signer for the role
`disputes`; without a policy every one counts. A withdrawal counts where it is signed with the key of what it withdraws.
An audit of training data counts where it declares that this system was trained on the data set, and a finding where V4
asks for one of its name (`others.audited`): both in force, about this system, and signed by a key that the policy names
for the role `audits` or `attestations`.
What is dated after the moment of reading counts for nothing, also where it takes something back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from verilabel.errors import CheckFailed, LimitExceeded, MalformedInput, SealError
from verilabel.evidence import layout
from verilabel.evidence.acceptance import Accepted, Decision
from verilabel.evidence.others.attestation import Dispute, Finding, Replication, Withdrawal
from verilabel.evidence.others.audit import DataAudit
from verilabel.evidence.others.audited import FINDINGS, Standing, find_lacking, is_contaminated, say_lacking
from verilabel.evidence.others.given import objection_to_audit, objection_to_term
from verilabel.evidence.others.signed import Signed, open_statement_proof, parse_signed, replica_labels
from verilabel.evidence.reading import read_document
from verilabel.evidence.statement import Statement, parse_time
from verilabel.evidence.steps.state import Skipped, State
from verilabel.evidence.trust import Role, TrustPolicy
from verilabel.evidence.verification import StatementFinding

ROLES: dict[str, Role] = {
    "replication": "replications",
    "dispute": "disputes",
    "finding": "attestations",
    "audit": "audits",
}
"""Kind of statement to the role in which its signer must count."""
NOT_REPLICATED = "no independent replication is enclosed (V3)"


def check_statements(state: State) -> str:
    """Check every statement about the label; see the module."""
    enclosed = list(_enclosed(state))
    if state.statement is None:
        if enclosed:
            raise SealError("statements about a label that nobody signed", where=layout.STATEMENTS)
        raise Skipped("no statements")
    signed: dict[str, Signed] = {}
    for item in (*enclosed, *state.given_audits, *state.beside):
        known = signed.get(item.attestation.digest)
        if known is None or (item.proof is not None and not _is_logged(known, state.trust)):
            signed[item.attestation.digest] = item
    leaned_on = (finding.attestation.digest for finding in state.given.values())
    replicas = (label for label, _ in replica_labels(signed.values()))
    subjects = {state.statement.digest, *signed, *leaned_on, *replicas}
    for item in enclosed:
        if item.attestation.about not in subjects and not _is_about_system(item, state):
            raise SealError("a statement about another label", where=layout.STATEMENTS + item.file_name)
    judge = _Judge(state, state.statement, signed)
    state.statements = tuple(judge.find(item) for _, item in sorted(signed.items()))
    state.flags.extend(
        flag for flag in ("superseded", "revoked", "disputed", "self_audited") if flag in judge.flags
    )
    if not judge.replicated:
        state.short_of.setdefault("V3", judge.short_of_replicated)
    _note_v4(state, judge.standing)
    if (why := judge.withdrawn or judge.find_withdrawn_finding()) is not None:
        state.short_of["V1"] = why
        state.flags = [flag for flag in state.flags if flag != "current"]
        raise CheckFailed(f"the label is not in force: {state.short_of['V1']}", where=layout.STATEMENTS)
    if not signed:
        raise Skipped("nothing that others signed is enclosed")
    return f"{len(signed)} genuine, {sum(finding.counts for finding in state.statements)} count"


def _is_about_system(item: Signed, state: State) -> bool:
    """True for a finding or an audit of the label's own system: the only statements that are not about statements."""
    assert state.system is not None, "step 4 passed"
    return item.attestation.kind in ("finding", "audit") and item.attestation.about == state.system.digest


def _note_v4(state: State, standing: Standing) -> None:
    """What V4 lacks, and whether an audit found the label's own suites in the training data."""
    assert state.plan is not None and state.label is not None, "step 4 passed"
    plan, label = state.plan, state.label
    standing.is_disputed = "disputed" in state.flags
    judge_requests = 0 if state.recounted is None else state.recounted.judge_requests
    state.lacking_for_v4 = find_lacking(plan, label, judge_requests, standing)
    if state.lacking_for_v4:
        state.short_of.setdefault("V4", say_lacking(state.lacking_for_v4))
    if is_contaminated(plan, label, standing.audits):
        state.flags.append("contaminated")


def _enclosed(state: State) -> Iterator[Signed]:
    paths = [path for path in state.container.sizes if path.startswith(layout.STATEMENTS)]
    if len(paths) > layout.MAX_STATEMENTS:
        raise LimitExceeded(f"more than {layout.MAX_STATEMENTS} statements", where=layout.STATEMENTS)
    for path in paths:
        signed = parse_signed(read_document(state.container, path), where=path)
        predicate = signed.attestation.predicate
        if isinstance(predicate, Finding) and predicate.name not in FINDINGS:
            raise MalformedInput("a finding about a system is no statement about its label", where=path)
        if path != layout.STATEMENTS + signed.file_name:
            raise MalformedInput("a statement lies under its own name", where=path, hint=signed.file_name)
        yield signed


class _Judge:
    """Finds of each statement whether it counts, and gathers what those that do change."""

    def __init__(self, state: State, label: Statement, signed: Mapping[str, Signed]) -> None:
        self._state = state
        self._label = label
        self._taken_back = _taken_back(signed, state.given.values(), state.now)
        self.flags: set[str] = set()
        self.standing = Standing(findings=self._given_findings())
        self.replicated = False
        self.short_of_replicated = NOT_REPLICATED
        self.withdrawn: str | None = None

    def find(self, signed: Signed) -> StatementFinding:
        """What one statement says and whether it counts."""
        attestation = signed.attestation
        name = f"{signed.signer.name} ({signed.signer.keyid[:19]})"
        objection = self._objection(signed)
        decision = self._ask_policy(signed)
        holders: frozenset[str] = frozenset()
        if decision is not None and decision.accepted:
            name, holders = decision.name, decision.holders
            if attestation.kind == "replication":
                objection = objection or self._objection_to_holder(decision)
        elif decision is not None:
            objection = objection or f"the trust policy: {decision.reason}"
        if objection is None:
            self._note(signed, name, holders)
        else:
            self._note_refused(signed, f"of {name} does not count: {objection}")
        return StatementFinding(
            kind=attestation.kind,
            digest=attestation.digest,
            signer=name,
            keyid=signed.signer.keyid,
            issued=attestation.predicate.issued,
            counts=objection is None,
            says=_words(signed),
            why=objection or "",
            logged=_is_logged(signed, self._state.trust),
        )

    def _ask_policy(self, signed: Signed) -> Decision | None:
        """What the trust policy says of a statement's signer; None where it has no say."""
        role = ROLES.get(signed.attestation.kind)
        trust = self._state.trust
        if role is None or trust is None or (role == "disputes" and trust.is_open_to_disputes):
            return None
        rubric, system = self._label.predicate.rubric.id, self._label.subject[0].name
        return trust.accepts(signed.signer, role=role, rubric=rubric, system=system)

    def _objection_to_holder(self, accepted: Accepted) -> str | None:
        """Why whom the policy accepts as a replicator is not shown to be another party than the label's signer."""
        if not accepted.is_named:
            return "the trust policy takes any key and does not say whose this one is"
        if accepted.holders & self._state.signer_holders:
            return "the trust policy calls its signer and the label's by one name"
        return None

    def find_withdrawn_finding(self) -> str | None:
        """Why the label is not in force where a finding that it leans on was withdrawn; None where none was."""
        for name, signed in self._state.given.items():
            if (signed.attestation.digest, signed.signer.keyid) in self._taken_back:
                return f"the finding {name!r} that it leans on was withdrawn by its signer"
        return None

    def _objection(self, signed: Signed) -> str | None:
        attestation = signed.attestation
        if attestation.issued > self._state.now:
            return "it is dated in the future"
        if isinstance(attestation.predicate, Withdrawal):  # it is final
            return self._objection_to_withdrawal(signed)
        if (attestation.digest, signed.signer.keyid) in self._taken_back:
            return "its signer withdrew it"
        match attestation.predicate:
            case Replication() as replication:
                return self._objection_to_replication(signed, replication)
            case Finding() | DataAudit():
                return self._objection_to_standing(signed)
        return None if attestation.about == self._label.digest else "it is about another label"

    def _objection_to_standing(self, signed: Signed) -> str | None:
        """Why a finding or an audit says nothing of the label's system now."""
        system, now = self._state.system, self._state.now
        assert system is not None, "step 4 passed"
        match signed.attestation.predicate:
            case Finding() as finding if finding.name not in FINDINGS:
                return "no level asks for a finding of this name"
            case Finding() as finding:
                is_other = signed.attestation.about != system.digest
                why = (
                    "it is about another system"
                    if is_other
                    else objection_to_term(signed, finding.valid_until, now)
                )
            case _:
                why = objection_to_audit(signed, system.digest, now)
        if why is None and self._state.trust is None:
            return "no trust policy says whose key that is"
        return why

    def _objection_to_withdrawal(self, signed: Signed) -> str | None:
        about, signer = signed.attestation.about, signed.signer.keyid
        if about == self._label.digest:  # whose it is stands in it, whatever anybody else calls it
            own = signer == self._label.predicate.issuer.keyid
            return None if own else "it is not signed with the key of the label"
        if (about, signer) in self._taken_back:
            return None
        return "it is about another statement, or of another signer"

    def _objection_to_replication(self, signed: Signed, found: Replication) -> str | None:
        label = self._label.predicate
        if signed.attestation.about != self._label.digest:
            return "it is about another label"
        original = (found.original.manifest_sha256, found.original.evidence_root, found.original.keyid)
        if original != (label.manifest_sha256, label.evidence.root, label.issuer.keyid):
            return "it names other evidence than the label's"
        if signed.signer.keyid == label.issuer.keyid:
            return "the label's own issuer signed it"
        if signed.attestation.issued < parse_time(label.issued, where=layout.ATTESTATION):
            return "it is older than the label"
        if (why := self._objection_to_replica(found, signed.signer.keyid)) is not None:
            return why
        if self._state.trust is None:
            return "no trust policy says whose key that is"
        return self._objection_to_coverage(found) or _objection_to_comparison(found)

    def _objection_to_replica(self, found: Replication, signer: str) -> str | None:
        """Why the other bundle is not one of the signer's own."""
        if found.replica.keyid != signer:
            return "it speaks of a bundle that its signer did not sign"
        if (found.replica.statement_sha256, signer) in self._taken_back:
            return "its signer withdrew the label of the replica"
        if found.replica.evidence_root == self._label.predicate.evidence.root:
            return "its records are the label's own, byte for byte: nothing shows that anybody asked again"
        return None

    def _objection_to_coverage(self, found: Replication) -> str | None:
        """Why a comparison is not one of this label: another scope, other measures or counts, or one not asked."""
        plan, rubric = self._state.plan, self._state.rubric
        assert plan is not None and rubric is not None, "step 4 passed"
        if found.comparison.scope != rubric.scope.bind:
            return "it compares another scope than the rubric's"
        if [m.measure for m in found.comparison.measures] != [m.id for m in plan.measures]:
            return "it compares other measures than the label's"
        tallies = {} if self._state.recounted is None else self._state.recounted.tallies()
        for measure in found.comparison.measures:
            tally = tallies.get(measure.measure)
            if tally is not None and (measure.n_original, measure.events_original) != (tally.n, tally.events):
                return f"its counts of {measure.measure} are not those of the label's evidence"
            if measure.n_original and not (measure.items and measure.n_replica):
                return f"it has nothing to compare of {measure.measure}"
        return None

    def _given_findings(self) -> set[str]:
        """Findings that the label leans on and V4 asks for: the steps before this one found that they count."""
        return set() if self._state.trust is None else self._state.given.keys() & FINDINGS.keys()

    def _note_refused(self, signed: Signed, why: str) -> None:
        match signed.attestation.predicate:
            case Replication():
                self.short_of_replicated = f"the replication {why}"
            case DataAudit():
                self.standing.refused["audit"] = f"the audit {why}"
            case Finding() as finding:
                self.standing.refused[finding.name] = f"the finding {finding.name!r} {why}"

    def _note(self, signed: Signed, name: str, holders: frozenset[str]) -> None:
        match signed.attestation.predicate:
            case Replication():
                self.replicated = True
            case Dispute():
                self.flags.add("disputed")
            case DataAudit() as audit:
                self.standing.audits.append(audit)
                self._note_own(signed, holders)
            case Finding() as finding:
                self.standing.findings.add(finding.name)
                self._note_own(signed, holders)
            case Withdrawal() as withdrawal if signed.attestation.about == self._label.digest:
                self.withdrawn = f"its issuer withdrew it: {withdrawal.reason[:200]} ({name})"
                self.flags.add("revoked" if withdrawal.superseded_by is None else "superseded")

    def _note_own(self, signed: Signed, holders: frozenset[str]) -> None:
        """Note that who signed the label also signed what V4 rests on."""
        if signed.signer.keyid == self._label.predicate.issuer.keyid or holders & self._state.signer_holders:
            self.flags.add("self_audited")


def _is_logged(signed: Signed, trust: TrustPolicy | None) -> bool:
    """True if the statement stands in a log that counts, with the witnesses that the policy asks for."""
    if (
        trust is not None
        and signed.log_key is not None
        and not trust.accepts(signed.log_key, role="log").accepted
    ):
        return False
    try:
        return open_statement_proof(signed, trust) is not None
    except SealError:  # its inclusion was checked when it was read: the policy's witnesses are missing
        return False


def _objection_to_comparison(found: Replication) -> str | None:
    comparison = found.comparison
    if comparison.differing:
        return f"the systems differ in {', '.join(comparison.differing)}"
    if "not_replicated" in (comparison.verdict, *(measure.verdict for measure in comparison.measures)):
        return "the results differ: not replicated"
    if comparison.label != "confirmed":
        return f"its own label leaves the granted level {comparison.label}"
    return None


def _taken_back(
    signed: Mapping[str, Signed], given: Iterable[Signed], now: datetime
) -> frozenset[tuple[str, str]]:
    """What was withdrawn by now, each as a digest and the key that both made it and withdrew it.

    Beside the statements themselves: what replications call their signers' own replicas, and findings that the label
    leans on. A withdrawal cannot be withdrawn.
    """
    withdrawals = [item for item in signed.values() if item.attestation.kind == "withdrawal"]
    others = (item for item in (*signed.values(), *given) if item.attestation.kind != "withdrawal")
    owned = {(item.attestation.digest, item.signer.keyid) for item in others} | replica_labels(
        signed.values()
    )
    wanted = {
        (item.attestation.about, item.signer.keyid) for item in withdrawals if item.attestation.issued <= now
    }
    return frozenset(owned & wanted)


def _words(signed: Signed) -> str:
    match signed.attestation.predicate:
        case Replication() as replication:
            return f"{replication.comparison.verdict}; label {replication.comparison.label}"
        case Dispute() as dispute:
            return ", ".join(dispute.grounds)
        case Withdrawal() as withdrawal:
            return "superseded" if withdrawal.superseded_by else "withdrawn"
        case Finding() as finding:
            return finding.name
        case DataAudit() as audit:
            read = audit.audit
            return f"{audit.relation}; {read.documents_read} of {read.documents} documents read"
    return signed.attestation.kind
