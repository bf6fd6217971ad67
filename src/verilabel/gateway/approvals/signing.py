"""Decisions as signed documents: DSSE over canonical bytes that name the action by its digest, and the person.

The payload is the JCS bytes of a `Decision`. It holds no content: what was decided is in `subject`, the digest of
request, requester and policy (and of the reply where one was held).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from verilabel.errors import MalformedInput, SealError
from verilabel.evidence.envelope import open_envelope, sign
from verilabel.evidence.keys import PrivateKey, PublicKey
from verilabel.evidence.log import Entry, LocalLog
from verilabel.records.canonical import jcs, parse_json

DECISION_TYPE = "application/vnd.verilabel.decision+json"
_LOGGED_AS: Literal["verilabel.statement/v1"] = "verilabel.statement/v1"


class Decision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One person's decision on one held action. `key` is the virtual key it was made with, or how else it came."""

    format: Literal["verilabel/decision/v1"] = "verilabel/decision/v1"
    approval: str
    subject: str
    kind: str
    policy: str
    requester: str
    verdict: Literal["approve", "deny"]
    by: str
    role: str
    key: str
    reason: str
    at: str
    quorum: int

    def payload(self) -> bytes:
        """The canonical bytes that are signed."""
        return jcs(msgspec.to_builtins(self))


def sign_decision(decision: Decision, key: PrivateKey) -> str:
    """The envelope over a decision, one line of JSON without its newline."""
    return sign(decision.payload(), key, payload_type=DECISION_TYPE).decode("ascii").removesuffix("\n")


def open_decision(envelope: str, keys: Iterable[PublicKey], *, where: str = "decision") -> Decision:
    """Verify an envelope by one of the keys and read the decision in it. Raises SealError, MalformedInput."""
    data = envelope.encode("utf-8") + b"\n"
    payload = open_envelope(data, keys, payload_type=DECISION_TYPE, where=where).payload
    try:
        decision = msgspec.convert(parse_json(payload, where=where), Decision, strict=True)
    except msgspec.ValidationError as error:
        raise MalformedInput(f"not a decision: {error}", where=where) from None
    if decision.payload() != payload:
        raise SealError("the decision is not in its canonical form", where=where)
    return decision


def written_time(at_us: int) -> str:
    """Microseconds since 1970 as RFC 3339 in UTC."""
    moment = datetime.fromtimestamp(at_us // 1_000_000, UTC).replace(microsecond=at_us % 1_000_000)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class DecisionLog:
    """A transparency log in a folder, to which decisions are appended by their digests; made where there is none.

    Its methods block: they belong in a thread. Any number of workers may append at once.
    """

    def __init__(self, folder: Path, key: PrivateKey) -> None:
        self._folder = folder
        self._key = key

    def append(self, digests: Sequence[str]) -> None:
        """Log digests of decisions, all or none. Raises SealError where the log is not sound, UsageError."""
        with self._open() as log:
            log.append_all([Entry(_LOGGED_AS, digest) for digest in digests])

    def _open(self) -> LocalLog:
        if not self._folder.exists():
            return LocalLog.create(self._folder, self._key)
        return LocalLog.open(self._folder, self._key)
