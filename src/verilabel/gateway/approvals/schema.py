"""The tables of held actions and votes, and how their rows are read (`statements` has what is asked of them)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from verilabel.gateway.approvals.interface import Approval, HeldAction, Vote
from verilabel.registry.interface import Row
from verilabel.registry.migrations import Step

STEPS: tuple[Step, ...] = (
    (
        "CREATE TABLE approvals (id TEXT PRIMARY KEY, subject TEXT NOT NULL, kind TEXT NOT NULL,"
        " requester TEXT NOT NULL, key_id TEXT NOT NULL, route TEXT NOT NULL, policy TEXT NOT NULL,"
        " reason TEXT NOT NULL, summary TEXT NOT NULL, payload BYTEA NOT NULL, payload_bytes BIGINT NOT NULL,"
        " quorum BIGINT NOT NULL, roles TEXT NOT NULL, lasts_s BIGINT NOT NULL, state TEXT NOT NULL,"
        " created_us BIGINT NOT NULL, due_us BIGINT NOT NULL, decided_us BIGINT, consumed_us BIGINT,"
        " change BIGINT NOT NULL)",
        "CREATE UNIQUE INDEX approvals_open ON approvals (subject) WHERE state IN ('pending', 'approved')",
        "CREATE INDEX approvals_due ON approvals (due_us) WHERE state IN ('pending', 'approved')",
        "CREATE INDEX approvals_room ON approvals (payload_bytes) WHERE state IN ('pending', 'approved')",
        "CREATE INDEX approvals_change ON approvals (change)",
        "CREATE INDEX approvals_made ON approvals (created_us, id)",
        "CREATE TABLE approval_votes (approval TEXT NOT NULL REFERENCES approvals (id), voter TEXT NOT NULL,"
        " verdict TEXT NOT NULL, reason TEXT NOT NULL, key_id TEXT NOT NULL, at_us BIGINT NOT NULL,"
        " envelope TEXT NOT NULL, payload_digest TEXT NOT NULL, logged BIGINT NOT NULL,"
        " PRIMARY KEY (approval, voter))",
        "CREATE INDEX approval_votes_unlogged ON approval_votes (at_us) WHERE logged = 0",
    ),
    (
        "CREATE INDEX approvals_of_one ON approvals (requester, payload_bytes)"
        " WHERE state IN ('pending', 'approved')",
    ),
)
_words = msgspec.json.Decoder(tuple[str, ...])


def approval_of(row: Row, votes: Iterable[Vote], payload: bytes = b"") -> Approval:
    """An approval from a row of `statements.COLUMNS`."""
    kind: Any = row[2]
    state: Any = row[12]
    action = HeldAction(
        subject=row[1],
        kind=kind,
        requester=row[3],
        key=row[4],
        route=row[5],
        policy=row[6],
        reason=_words.decode(row[7]),
        summary=row[8],
        payload=payload,
        quorum=row[9],
        roles=_words.decode(row[10]),
        expires_s=row[11],
    )
    return Approval(
        id=row[0],
        action=action,
        state=state,
        created_us=row[13],
        expires_us=row[13] + row[11] * 1_000_000,
        votes=tuple(votes),
    )


def vote_of(row: Row) -> Vote:
    """A vote from a row of voter, verdict, reason, at_us, envelope."""
    verdict: Any = row[1]
    return Vote(by=row[0], verdict=verdict, reason=row[2], at_us=row[3], envelope=row[4])


def words_json(words: Sequence[str]) -> str:
    """Several words as the tables keep them."""
    return msgspec.json.encode(words).decode()
