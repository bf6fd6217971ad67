"""Signed containment attestations: what was tried against a sandbox on a machine, and what came of it.

An in-toto Statement v1 as JCS bytes. Its subject is the environment (provider, kernel, settings) by the digest of its
description; its predicate is the whole examination. The file is that of every signed statement (`verilabel/signed/v1`):
the JCS bytes of `{"format", "envelope", "signer"}` and one newline. Agents' episodes cite the digest of the file.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from verilabel.errors import CheckFailed, MalformedInput, SealError, UsageError
from verilabel.evidence.envelope import open_envelope, sign
from verilabel.evidence.keys import KeyType, PrivateKey, PublicKey, parse_public
from verilabel.evidence.others.attestation import BASE, signed_by
from verilabel.evidence.others.signed import FORMAT
from verilabel.evidence.statement import STATEMENT_TYPE, Issuer, Subject, Tool, parse_time
from verilabel.evidence.trust import TrustPolicy
from verilabel.records.canonical import DIGEST_PREFIX, digest, is_digest, jcs, parse_json
from verilabel.sandbox.interface import Containment, contains_enough
from verilabel.sandbox.probing.host import describe_environment, differing_parts
from verilabel.sandbox.probing.judging import judge
from verilabel.sandbox.probing.record import Environment, Examination

CONTAINMENT_PREDICATE = f"{BASE}containment/v1"
MAX_CONTAINMENT_BYTES = 2**20
MAX_RESULTS = 1_000
MAX_TEXT = 1_000
MAX_AGE = timedelta(days=30)
"""An attestation is asked for again after that, where nobody says otherwise."""

T = TypeVar("T")


class ContainmentPredicate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An examination, who signs it and when."""

    examination: Examination
    issuer: Issuer
    issued: str
    tool: Tool


class _Statement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    subject: tuple[Subject]
    predicate: ContainmentPredicate
    type_: Literal["https://in-toto.io/Statement/v1"] = msgspec.field(name="_type")
    predicate_type: Literal["https://verilabel.example/attestation/containment/v1"] = msgspec.field(
        name="predicateType"
    )


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: Literal["verilabel/signed/v1"]
    envelope: dict[str, object]
    signer: str


@dataclass(frozen=True)
class SignedContainment:
    """An attestation whose signature holds and whose verdict follows from its answers."""

    predicate: ContainmentPredicate
    payload: bytes
    signer: PublicKey
    data: bytes
    """The exact bytes of the file."""

    @property
    def digest(self) -> str:
        """What episodes cite (`AchievedContainment.attestation`): the digest of the file's bytes."""
        return digest(self.data)

    @property
    def examination(self) -> Examination:
        """What was tried and what came of it."""
        return self.predicate.examination

    @property
    def environment(self) -> Environment:
        """What it holds for."""
        return self.predicate.examination.environment

    @property
    def containment(self) -> Containment:
        """The containment that was examined."""
        achieved = self.examination.achieved
        return Containment(
            level=achieved.level,
            provider=self.environment.provider,
            means=achieved.means,
            lacking=achieved.lacking,
        )

    @property
    def probes_are_known(self) -> bool:
        """True where the list of probes is this version's, so that none can be missing or excused unnoticed."""
        return _known_list(self.examination) is not None

    @property
    def issued(self) -> datetime:
        """When it says that it was signed."""
        return parse_time(self.predicate.issued, where="predicate.issued")


def sign_containment(examination: Examination, key: PrivateKey, now: datetime) -> SignedContainment:
    """Sign an examination. Raises MalformedInput or SealError for one that does not hold together."""
    environment = examination.environment
    document = {
        "_type": STATEMENT_TYPE,
        "subject": [
            {
                "name": environment.provider,
                "digest": {"sha256": environment.digest.removeprefix(DIGEST_PREFIX)},
            }
        ],
        "predicateType": CONTAINMENT_PREDICATE,
        "predicate": msgspec.to_builtins(ContainmentPredicate(examination, *signed_by(key.public, now))),
    }
    envelope = parse_json(sign(jcs(document), key), where="envelope")
    return parse_containment(
        jcs({"format": FORMAT, "envelope": envelope, "signer": key.public.line}) + b"\n", where="containment"
    )


def load_attestation(path: Path) -> SignedContainment:
    """Read a containment attestation from its file. Raises UsageError where there is none; as `parse_containment`."""
    if not path.is_file():  # opening a pipe would wait for ever
        raise UsageError(
            "there is no such containment attestation",
            where=str(path),
            hint="`verilabel sandbox doctor --out FILE` makes one",
        )
    with path.open("rb") as file:
        return parse_containment(file.read(3 * MAX_CONTAINMENT_BYTES + 1), where=str(path))


def parse_containment(data: bytes, *, where: str = "containment") -> SignedContainment:
    """Verify and read a containment attestation.

    In order: 1 form and canonical bytes of the file, 2 the signer's key, 3 the signature, before the payload is
    parsed, 4 the form and canonical bytes of the statement, 5 it names the key that signed and the environment that
    it describes, 6 its verdict follows from its answers. Raises MalformedInput for 1, 2 and 4, SealError for 3, 5, 6.
    """
    file = _convert(parse_json(data, where=where, max_bytes=3 * MAX_CONTAINMENT_BYTES), _File, where)  # 1
    if jcs(msgspec.to_builtins(file)) + b"\n" != data:
        raise MalformedInput("a signed statement that is not in its canonical form", where=where)
    signer = parse_public(file.signer, where=f"{where}: $.signer")  # 2
    if signer.key_type is not KeyType.ED25519:
        raise MalformedInput("a witness's key does not sign statements", where=f"{where}: $.signer")
    envelope = jcs(file.envelope) + b"\n"
    payload = open_envelope(envelope, [signer], where=f"{where}: $.envelope").payload  # 3
    statement = _convert(
        parse_json(payload, where=where, max_bytes=MAX_CONTAINMENT_BYTES), _Statement, where
    )  # 4
    if jcs(msgspec.to_builtins(statement)) != payload:
        raise MalformedInput("not in canonical form", where=where)
    _check_forms(statement.predicate, f"{where}: $.predicate")
    _check_names(statement, signer, where)  # 5
    _check_verdict(statement.predicate.examination, f"{where}: $.predicate.examination")  # 6
    return SignedContainment(statement.predicate, payload, signer, data)


def _convert(value: object, form: type[T], where: str) -> T:
    try:
        return msgspec.convert(value, form, strict=True)
    except msgspec.ValidationError as error:
        raise MalformedInput(f"not a signed containment attestation: {error}", where=where) from None


def _check_forms(predicate: ContainmentPredicate, where: str) -> None:
    examination = predicate.examination
    environment = examination.environment
    digests = {
        "issuer.keyid": predicate.issuer.keyid,
        "examination.program": examination.program,
        "examination.probes": examination.probes,
        "examination.environment.kernel_build": environment.kernel_build,
        "examination.environment.image": environment.image or digest(b""),
        "examination.environment.host": environment.host or digest(b""),
    }
    for name, value in digests.items():
        if not is_digest(value):
            raise MalformedInput("not a SHA-256 digest", where=f"{where}.{name}")
    parse_time(predicate.issued, where=f"{where}.issued")
    results = examination.results
    texts = (environment.provider, environment.kernel, environment.distribution, *(r.detail for r in results))
    if not 1 <= len(results) <= MAX_RESULTS or any(len(text) > MAX_TEXT for text in texts):
        raise MalformedInput("no results, or more and longer ones than there are", where=where)
    twice = [name for name, count in Counter(result.id for result in results).items() if count > 1]
    if twice:
        raise MalformedInput(f"two answers of one probe: {twice[0]!r}", where=f"{where}.examination.results")


def _check_names(statement: _Statement, signer: PublicKey, where: str) -> None:
    predicate, subject = statement.predicate, statement.subject[0]
    if (predicate.issuer.keyid, predicate.issuer.name) != (signer.keyid, signer.name):
        raise SealError("the statement names another key than the one that signed it", where=where)
    environment = predicate.examination.environment
    if DIGEST_PREFIX + subject.digest.sha256 != environment.digest or subject.name != environment.provider:
        raise SealError("the subject is not the environment that is described", where=f"{where}: $.subject")


def _check_verdict(examination: Examination, where: str) -> None:
    """The verdict follows from the answers; a list that is known here is complete, and asks what it asks."""
    achieved = examination.achieved
    verdict = judge(examination.results, achieved.level, achieved.means)
    if verdict != (examination.escapes, examination.exposed, examination.unanswered):
        raise SealError("the verdict does not follow from the answers", where=where)
    known = _known_list(examination)
    if known is not None and known != [(result.id, result.by) for result in examination.results]:
        raise SealError("answers are missing, or of other probes than those listed", where=f"{where}.results")


def _known_list(examination: Examination) -> list[tuple[str, str]] | None:
    """What each probe of the list requires, where the list is this version's."""
    from verilabel.sandbox.probing.program import list_digest, list_probes

    if examination.probes != list_digest():
        return None
    return [(probe.id, probe.by) for probe in list_probes() if examination.heavy or not probe.heavy]


def check_attestation(
    signed: SignedContainment,
    *,
    here: Environment,
    containment: Containment,
    now: datetime,
    max_age: timedelta = MAX_AGE,
    trust: TrustPolicy | None = None,
) -> tuple[str, ...]:
    """Why an attestation does not speak for a box of `containment` in the environment `here`; empty where it does.

    It is asked: whether its signer counts (for the role `attestations`; any signer does without a policy), whether it
    is of this environment, of a level and means like the box's, of this version's probes, not older than `max_age`, and
    whether something escaped or is not known.
    """
    reasons = []
    if trust is not None:
        decision = trust.accepts(signed.signer, role="attestations")
        if not decision.accepted:
            reasons.append(f"signed by {signed.signer.name}, who does not count: {decision.reason}")
    reasons += [f"made with another {part}" for part in differing_parts(signed.environment, here)]
    if not contains_enough(signed.containment.level, containment.level):
        reasons.append(f"made for {signed.containment.level}, the box is {containment.level}")
    elif missing := sorted(set(containment.means) ^ set(signed.containment.means)):
        reasons.append(f"made of a box with other means: {', '.join(missing)}")
    age = now - signed.issued
    if age > max_age:
        reasons.append(f"{age.days} days old, {max_age.days} are allowed")
    elif age < -timedelta(minutes=5):
        reasons.append("signed in the future")
    return (*reasons, *_findings_against(signed.examination))


def require_attestation(
    path: Path,
    *,
    containment: Containment,
    user: int,
    now: datetime,
    max_age: timedelta = MAX_AGE,
    trust: TrustPolicy | None = None,
) -> SignedContainment:
    """The attestation in a file, where it speaks for a box that is open on this machine now, as `user`.

    Raises CheckFailed with the reasons where it does not, and as `load_attestation`.
    """
    signed = load_attestation(path)
    here = describe_environment(containment.provider, user)
    reasons = check_attestation(
        signed, here=here, containment=containment, now=now, max_age=max_age, trust=trust
    )
    if reasons:
        raise CheckFailed(
            f"this containment attestation does not speak for the box: {'; '.join(reasons)}",
            where=str(path),
            hint="`verilabel sandbox doctor --out FILE` makes one for this machine",
        )
    return signed


def _findings_against(examination: Examination) -> list[str]:
    reasons = []
    from verilabel.sandbox.probing.program import program_digest

    if _known_list(examination) is None:
        reasons.append("made with another version's probes")
    elif examination.program != program_digest():
        reasons.append("made with another program of probes than this version's")
    if examination.escapes:
        reasons.append(f"{len(examination.escapes)} probes escaped: {', '.join(examination.escapes[:5])}")
    if examination.unanswered:
        reasons.append(f"{len(examination.unanswered)} probes have no answer")
    return reasons
