"""Step 11: what others signed about a label is genuine; which of it counts, and what it changes.

A replication counts towards V3 where its signer is independent (another key, which the trust policy names for the
role `replications`), asked the same system, and came to a label that contains the granted level (label-semantics
section 12). A dispute counts where the policy names its signer for the role `disputes`; without a policy every one
counts. A withdrawal counts where it is signed with the key of what it withdraws.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from verilabel.errors import CheckFailed, LimitExceeded, MalformedInput, SealError
from verilabel.evidence import layout
from verilabel.evidence.attestation import Dispute, Replication, Withdrawal
from verilabel.evidence.reading import read_document
from verilabel.evidence.signed import Signed, open_statement_proof, parse_signed
from verilabel.evidence.statement import Statement, parse_time
from verilabel.evidence.steps.state import Skipped, State
from verilabel.evidence.trust import Role
from verilabel.evidence.verification import StatementFinding

NOT_REPLICATED = "no independent replication is enclosed (V3)"


def check_statements(state: State) -> str:
    """Check every statement about the label; see the module."""
    enclosed = list(_enclosed(state))
    if state.statement is None:
        if enclosed:
            raise SealError("statements about a label that nobody signed", where=layout.STATEMENTS)
        raise Skipped("no statements")
    signed = {item.attestation.digest: item for item in (*enclosed, *state.beside)}
    known = {state.statement.digest, *signed}
    for item in enclosed:
        if item.attestation.about not in known:
            raise SealError("a statement about another label", where=layout.STATEMENTS + item.file_name)
    judge = _Judge(state, state.statement, signed)
    state.statements = tuple(judge.find(item) for _, item in sorted(signed.items()))
    state.flags.extend(flag for flag in ("superseded", "revoked", "disputed") if flag in judge.flags)
    if not judge.replicated:
        state.short_of.setdefault("V3", judge.short_of_replicated)
    if judge.withdrawn is not None:
        state.short_of["V1"] = f"its issuer withdrew it: {judge.withdrawn}"
        raise CheckFailed(f"the label is not in force: {state.short_of['V1']}", where=layout.STATEMENTS)
    if not signed:
        raise Skipped("nothing that others signed is enclosed")
    return f"{len(signed)} genuine, {sum(finding.counts for finding in state.statements)} count"


def _enclosed(state: State) -> Iterator[Signed]:
    paths = [path for path in state.container.sizes if path.startswith(layout.STATEMENTS)]
    if len(paths) > layout.MAX_STATEMENTS:
        raise LimitExceeded(f"more than {layout.MAX_STATEMENTS} statements", where=layout.STATEMENTS)
    for path in paths:
        signed = parse_signed(read_document(state.container, path), where=path)
        if signed.attestation.kind == "finding":
            raise MalformedInput("a finding about a system is no statement about its label", where=path)
        if path != layout.STATEMENTS + signed.file_name:
            raise MalformedInput("a statement lies under its own name", where=path, hint=signed.file_name)
        yield signed


class _Judge:
    """Finds of each statement whether it counts, and gathers what those that do change."""

    def __init__(self, state: State, label: Statement, signed: Mapping[str, Signed]) -> None:
        self._state = state
        self._label = label
        self._taken_back = _taken_back(signed.values(), signed)
        self.flags: set[str] = set()
        self.replicated = False
        self.short_of_replicated = NOT_REPLICATED
        self.withdrawn: str | None = None

    def find(self, signed: Signed) -> StatementFinding:
        """What one statement says and whether it counts."""
        attestation = signed.attestation
        name = f"{signed.signer.name} ({signed.signer.keyid[:19]})"
        role: dict[str, Role] = {"replication": "replications", "dispute": "disputes"}
        objection = self._objection(signed)
        if attestation.kind in role and self._state.trust is not None:
            decision = self._state.trust.accepts(
                signed.signer,
                role=role[attestation.kind],
                rubric=self._label.predicate.rubric.id,
                system=self._label.subject[0].name,
            )
            if decision.accepted:
                name = decision.name
            elif objection is None:
                objection = f"the trust policy: {decision.reason}"
        if objection is None:
            self._note(signed, name)
        elif attestation.kind == "replication":
            self.short_of_replicated = f"the replication of {name} does not count: {objection}"
        return StatementFinding(
            kind=attestation.kind,
            digest=attestation.digest,
            signer=name,
            keyid=signed.signer.keyid,
            issued=attestation.predicate.issued,
            counts=objection is None,
            says=_words(signed),
            why=objection or "",
            logged=open_statement_proof(signed, self._state.trust) is not None,
        )

    def _objection(self, signed: Signed) -> str | None:
        attestation = signed.attestation
        if attestation.issued > self._state.now:
            return "it is dated in the future"
        if attestation.digest in self._taken_back:
            return "its signer withdrew it"
        match attestation.predicate:
            case Withdrawal():
                return self._objection_to_withdrawal(signed)
            case Replication() as replication:
                return self._objection_to_replication(signed, replication)
        return None if attestation.about == self._label.digest else "it is about another label"

    def _objection_to_withdrawal(self, signed: Signed) -> str | None:
        about = signed.attestation.about
        if about in self._taken_back:
            return None
        if about != self._label.digest:
            return "it is about another statement, or of another signer"
        if signed.signer.keyid != self._label.predicate.issuer.keyid:
            return "it is not signed with the key of the label"
        return None

    def _objection_to_replication(self, signed: Signed, found: Replication) -> str | None:
        label = self._label.predicate
        if signed.attestation.about != self._label.digest:
            return "it is about another label"
        original = (found.original.manifest_sha256, found.original.evidence_root, found.original.keyid)
        if original != (label.manifest_sha256, label.evidence.root, label.issuer.keyid):
            return "it names other evidence than the label's"
        if signed.signer.keyid == label.issuer.keyid:
            return "the label's own issuer signed it"
        if found.replica.keyid != signed.signer.keyid:
            return "it speaks of a bundle that its signer did not sign"
        if signed.attestation.issued < parse_time(label.issued, where=layout.ATTESTATION):
            return "it is older than the label"
        if self._state.trust is None:
            return "no trust policy says whose key that is"
        return _objection_to_comparison(found)

    def _note(self, signed: Signed, name: str) -> None:
        match signed.attestation.predicate:
            case Replication():
                self.replicated = True
            case Dispute():
                self.flags.add("disputed")
            case Withdrawal() as withdrawal if signed.attestation.about == self._label.digest:
                self.withdrawn = f"{withdrawal.reason[:200]} ({name})"
                self.flags.add("revoked" if withdrawal.superseded_by is None else "superseded")


def _objection_to_comparison(found: Replication) -> str | None:
    comparison = found.comparison
    if comparison.differing:
        return f"the systems differ in {', '.join(comparison.differing)}"
    if not comparison.measures:
        return "it compares no measure"
    if comparison.verdict == "not_replicated":
        return "the results differ: not replicated"
    if comparison.label != "confirmed":
        return f"its own label leaves the granted level {comparison.label}"
    return None


def _taken_back(statements: Iterable[Signed], signed: Mapping[str, Signed]) -> frozenset[str]:
    """Digests of the statements that their own signers withdrew; a withdrawal cannot be withdrawn."""
    taken = set()
    for item in statements:
        other = signed.get(item.attestation.about)
        if other is None or item.attestation.kind != "withdrawal" or other.attestation.kind == "withdrawal":
            continue
        if other.signer.keyid == item.signer.keyid:
            taken.add(other.attestation.digest)
    return frozenset(taken)


def _words(signed: Signed) -> str:
    match signed.attestation.predicate:
        case Replication() as replication:
            return f"{replication.comparison.verdict}; label {replication.comparison.label}"
        case Dispute() as dispute:
            return ", ".join(dispute.grounds)
        case Withdrawal() as withdrawal:
            return "superseded" if withdrawal.superseded_by else "withdrawn"
    return signed.attestation.kind
