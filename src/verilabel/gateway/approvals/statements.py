"""What is asked of the tables of approvals, put together from words of this file alone."""
# ruff: noqa: S608

from __future__ import annotations

COLUMNS = (
    "id, subject, kind, requester, key_id, route, policy, reason, summary, quorum, roles, lasts_s, state,"
    " created_us, due_us, change"
)
"""All but the payload, which only its one use reads."""
STATE = 12
DUE = 14
_OPEN = "state IN ('pending', 'approved')"
_EXPIRE = "UPDATE approvals SET state = 'expired', payload = ?, payload_bytes = 0, decided_us = ?, change = ?"
_VOTE = "voter, verdict, reason, at_us, envelope"

ADD = (
    "INSERT INTO approvals (id, subject, kind, requester, key_id, route, policy, reason, summary, payload,"
    " payload_bytes, quorum, roles, lasts_s, state, created_us, due_us, change)"
    f" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', ?, ?, ?) RETURNING {COLUMNS}"
)
FIND = f"SELECT {COLUMNS} FROM approvals WHERE id = ?"
FIND_OPEN = f"SELECT {COLUMNS} FROM approvals WHERE subject = ? AND {_OPEN}"
FIND_PAYLOAD = "SELECT payload FROM approvals WHERE id = ?"
FIND_DUE = "SELECT due_us FROM approvals WHERE id = ?"
ROOM = f"SELECT count(*), coalesce(sum(payload_bytes), 0) FROM approvals WHERE {_OPEN}"
ROOM_OF = f"{ROOM} AND requester = ?"
ANY_OPEN = f"SELECT 1 FROM approvals WHERE {_OPEN} LIMIT 1"
COUNT_STATES = f"SELECT state, count(*) FROM approvals WHERE {_OPEN} GROUP BY state"
NEXT_DUE = f"SELECT min(due_us) FROM approvals WHERE {_OPEN}"
LAST_CHANGE = "SELECT coalesce(max(change), 0) FROM approvals"
CHANGES = "SELECT change, id, state FROM approvals WHERE (change, id) > (?, ?) ORDER BY change, id LIMIT ?"

USE = (
    "UPDATE approvals SET state = 'consumed', consumed_us = ?, payload = ?, payload_bytes = 0, change = ?"
    f" WHERE id = ? AND state = 'approved' AND due_us > ? RETURNING {COLUMNS}"
)
DENY = "UPDATE approvals SET state = 'denied', decided_us = ?, payload = ?, payload_bytes = 0, change = ? WHERE id = ?"
APPROVE = "UPDATE approvals SET state = 'approved', decided_us = ?, change = ? WHERE id = ?"
TOUCH = "UPDATE approvals SET change = ? WHERE id = ?"
EXPIRE_ALL = f"{_EXPIRE} WHERE {_OPEN} AND due_us <= ? RETURNING id"
EXPIRE_ONE = f"{_EXPIRE} WHERE id = ? AND {_OPEN} AND due_us <= ?"

VOTES = f"SELECT {_VOTE} FROM approval_votes WHERE approval = ? ORDER BY at_us, voter"
ADD_VOTE = (
    "INSERT INTO approval_votes (approval, voter, verdict, reason, key_id, at_us, envelope, payload_digest, logged)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
UNLOGGED = (
    "SELECT approval, voter, payload_digest FROM approval_votes WHERE logged = 0 ORDER BY at_us LIMIT ?"
)
SET_LOGGED = "UPDATE approval_votes SET logged = 1 WHERE approval = ? AND voter = ?"


def list_statement(*, states: int, by_requester: bool, after_another: bool) -> str:
    """The statement of a page of approvals, the newest first; its parameters in the order of these arguments."""
    where = ["1 = 1"]
    if states:
        where.append(f"state IN ({marks(states)})")
    if by_requester:
        where.append("requester = ?")
    if after_another:
        where.append("(created_us, id) < (SELECT created_us, id FROM approvals WHERE id = ?)")
    return f"SELECT {COLUMNS} FROM approvals WHERE {' AND '.join(where)} ORDER BY created_us DESC, id DESC LIMIT ?"


def votes_statement(approvals: int) -> str:
    """The statement of all votes on so many approvals."""
    return f"SELECT approval, {_VOTE} FROM approval_votes WHERE approval IN ({marks(approvals)}) ORDER BY at_us, voter"


def marks(count: int) -> str:
    """Placeholders for so many parameters."""
    return ", ".join("?" * count)
