"""Virtual keys in the database: made, listed, switched off and on, rotated, revoked; never deleted.

A revoked key stays as a row, so that what it did can be told for good. Every change carries the number of the
database's clock, by which the rings of all workers see that there is something new.
"""
# ruff: noqa: S608
# Statements are put together from words of this file alone.

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from verilabel.errors import MalformedInput, UsageError
from verilabel.gateway.access.interface import Holder, Role
from verilabel.gateway.access.tokens import new_id, new_token, token_hash
from verilabel.registry.clock import make_clock, tick
from verilabel.registry.database import Database, Row, Transaction
from verilabel.registry.migrations import Step, migrate

ROLES: tuple[Role, ...] = ("user", "approver", "auditor", "admin")
MAX_KEYS = 100_000
STEPS: tuple[Step, ...] = (
    (
        "CREATE TABLE gateway_keys (id TEXT PRIMARY KEY, hash BYTEA NOT NULL UNIQUE, name TEXT NOT NULL,"
        " role TEXT NOT NULL, holder TEXT NOT NULL, models TEXT NOT NULL, policy TEXT, limits TEXT NOT NULL,"
        " created_us BIGINT NOT NULL, created_by TEXT NOT NULL, expires_us BIGINT,"
        " disabled BIGINT NOT NULL DEFAULT 0, revoked_us BIGINT, replaced_by TEXT, change BIGINT NOT NULL)",
        "CREATE INDEX gateway_keys_change ON gateway_keys (change)",
    ),
)
_COLUMNS = (
    "id, name, role, holder, models, policy, limits, expires_us, created_us, created_by, disabled, revoked_us,"
    " replaced_by, change, hash"
)
_USER = re.compile(r"[a-z0-9][a-z0-9._@+/-]{0,127}", re.ASCII)
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@+-]{0,199}\*?|\*", re.ASCII)
_strings = msgspec.json.Decoder(tuple[str, ...])


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it is kept: its holder, and how it stands. The secret is in no record; times in microseconds."""

    holder: Holder
    created_us: int
    created_by: str
    disabled: bool = False
    revoked_us: int | None = None
    replaced_by: str | None = None

    @property
    def is_in_force(self) -> bool:
        """True unless it was revoked or switched off; whether it has expired is for a clock to say."""
        return self.revoked_us is None and not self.disabled


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that was just made: `token` is shown now and never again."""

    token: str
    record: KeyRecord

    def __repr__(self) -> str:
        return f"NewKey(token='***', record={self.record!r})"


class KeyWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a new key shall be. `user` is who is behind it (absent: the key's name); `lasts_s` seconds to expiry."""

    name: str
    role: Role = "user"
    user: str = ""
    models: tuple[str, ...] = ()
    policy: str | None = None
    limits: tuple[str, ...] = ()
    lasts_s: int | None = None


class KeyChange(msgspec.Struct, frozen=True):
    """What a ring needs of one changed key."""

    hash: bytes
    holder: Holder
    is_in_force: bool
    number: int


class KeyStore:
    """The keys of one gateway, in a database that its workers share."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    async def open(cls, database: Database) -> KeyStore:
        """The keys of a database, whose schema is made where it is not there yet. Raises as `migrate` does."""
        await make_clock(database)
        await migrate(database, "keys", STEPS)
        return cls(database)

    async def create(self, wish: KeyWish, *, by: str) -> NewKey:
        """Make a key. `by` is who makes it. Raises MalformedInput where the wish cannot be met."""
        checked = check_wish(wish)
        async with self._database.transaction() as transaction:
            return await self._insert(transaction, checked, by)

    async def list_keys(self) -> list[KeyRecord]:
        """All keys, the oldest first, revoked ones too."""
        rows = await self._database.fetch(f"SELECT {_COLUMNS} FROM gateway_keys ORDER BY created_us, id")
        return [_record_of(row) for row in rows]

    async def find(self, key_id: str) -> KeyRecord:
        """One key. Raises UsageError where there is none of this id."""
        rows = await self._database.fetch(f"SELECT {_COLUMNS} FROM gateway_keys WHERE id = ?", (key_id,))
        return _only(rows, key_id, self._database.where)

    async def revoke(self, key_id: str) -> KeyRecord:
        """End a key for good; one that was revoked stays as it is. Raises UsageError where there is none."""
        return await self._change(key_id, "revoked_us = coalesce(revoked_us, now_us())")

    async def switch(self, key_id: str, *, disabled: bool) -> KeyRecord:
        """Switch a key off or on again. Raises UsageError where there is none, or where it was revoked."""
        if not disabled and (await self.find(key_id)).revoked_us is not None:
            raise UsageError("a revoked key is not switched on again", where=key_id, hint="make a new one")
        return await self._change(key_id, f"disabled = {int(disabled)}")

    async def rotate(self, key_id: str, *, by: str, grace_s: int = 0) -> NewKey:
        """Put a new key in a key's place, for the same holder with the same rights; its expiry stays.

        The old one ends at once, or after `grace_s` seconds. Raises UsageError where there is none in force.
        """
        if not 0 <= grace_s <= 30 * 86_400:
            raise MalformedInput("a grace is 0 seconds to 30 days", where="grace_s")
        async with self._database.transaction() as transaction:
            await tick(transaction)  # from here on nobody else changes keys
            rows = await transaction.fetch(
                f"SELECT {_COLUMNS} FROM gateway_keys WHERE id = ?",
                (key_id,),
            )
            old = _only(rows, key_id, self._database.where)
            if not old.is_in_force:
                raise UsageError("the key was revoked or switched off", where=key_id, hint="make a new one")
            holder = old.holder
            wish = KeyWish(
                name=holder.name,
                role=holder.role,
                user=holder.user,
                models=holder.models,
                policy=holder.policy,
                limits=holder.limits,
            )
            made = await self._insert(transaction, wish, by, expires_us=holder.expires_us)
            await self._end_old(transaction, key_id, made.record.holder.id, grace_s)
            return made

    async def last_change(self) -> int:
        """The number of the last change of any key: when it is the same, nothing has changed."""
        rows = await self._database.fetch("SELECT coalesce(max(change), 0) FROM gateway_keys")
        return int(rows[0][0])

    async def changes_since(self, number: int) -> list[KeyChange]:
        """All keys that changed after a number, as they are now, in the order of their change."""
        rows = await self._database.fetch(
            f"SELECT {_COLUMNS} FROM gateway_keys WHERE change > ? ORDER BY change",
            (number,),
        )
        return [
            KeyChange(bytes(row[14]), _holder_of(row), _record_of(row).is_in_force, row[13]) for row in rows
        ]

    # -- statements ------------------------------------------------------------------------------------------

    async def _insert(
        self, transaction: Transaction, wish: KeyWish, by: str, *, expires_us: int | None = None
    ) -> NewKey:
        moment = await tick(transaction)
        count = (await transaction.fetch("SELECT count(*) FROM gateway_keys"))[0][0]
        if count >= MAX_KEYS:
            raise UsageError(f"there are {count} keys, the limit is {MAX_KEYS}", where=self._database.where)
        if wish.lasts_s is not None:
            expires_us = moment.wall_us + wish.lasts_s * 1_000_000
        key_id = new_id()
        token = new_token(key_id)
        holder = Holder(
            id=key_id,
            name=wish.name,
            role=wish.role,
            user=wish.user,
            models=wish.models,
            policy=wish.policy,
            limits=wish.limits,
            expires_us=expires_us,
        )
        await transaction.execute(
            "INSERT INTO gateway_keys (id, hash, name, role, holder, models, policy, limits, created_us,"
            " created_by, expires_us, change) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                key_id,
                token_hash(token),
                wish.name,
                wish.role,
                wish.user,
                _json(wish.models),
                wish.policy,
                _json(wish.limits),
                moment.wall_us,
                by[:256],
                expires_us,
                moment.tick,
            ),
        )
        return NewKey(
            token=token, record=KeyRecord(holder=holder, created_us=moment.wall_us, created_by=by[:256])
        )

    async def _end_old(self, transaction: Transaction, key_id: str, replaced_by: str, grace_s: int) -> None:
        moment = await tick(transaction)
        if grace_s:
            ends_us = moment.wall_us + grace_s * 1_000_000
            await transaction.execute(
                "UPDATE gateway_keys SET replaced_by = ?, change = ?,"
                " expires_us = CASE WHEN expires_us < ? THEN expires_us ELSE ? END WHERE id = ?",
                (replaced_by, moment.tick, ends_us, ends_us, key_id),
            )
        else:
            await transaction.execute(
                "UPDATE gateway_keys SET replaced_by = ?, change = ?, revoked_us = ? WHERE id = ?",
                (replaced_by, moment.tick, moment.wall_us, key_id),
            )

    async def _change(self, key_id: str, assignment: str) -> KeyRecord:
        async with self._database.transaction() as transaction:
            moment = await tick(transaction)
            rows = await transaction.fetch(
                f"UPDATE gateway_keys SET {assignment}, change = ? WHERE id = ? RETURNING {_COLUMNS}",
                (moment.tick, key_id),
            )
            return _only(rows, key_id, self._database.where)


def check_wish(wish: KeyWish) -> KeyWish:
    """A wish with its user filled in. Raises MalformedInput where a word in it cannot be one."""
    if not wish.name or len(wish.name) > 200 or not wish.name.isprintable() or wish.name != wish.name.strip():
        raise MalformedInput("a key's name is 1 to 200 printable characters", where="$.name")
    user = check_user(wish.user or "-".join(wish.name.split()))
    if wish.role not in ROLES:
        raise MalformedInput("no such role", where="$.role", hint=", ".join(ROLES))
    for field, words in (("models", wish.models), ("limits", wish.limits)):
        _check_words(words, f"$.{field}")
    if wish.policy is not None:
        _check_words((wish.policy,), "$.policy")
    if wish.lasts_s is not None and not 1 <= wish.lasts_s <= 100 * 366 * 86_400:
        raise MalformedInput("a key lasts at least a second and at most 100 years", where="$.lasts_s")
    return msgspec.structs.replace(wish, user=user)


def check_user(user: str) -> str:
    """A user's name in the one spelling it has. Raises MalformedInput.

    Lower-case ASCII: two spellings of one person would otherwise be two people when votes are counted.
    """
    name = user.lower()
    if not _USER.fullmatch(name):
        raise MalformedInput(
            f"{name[:80]!r} cannot name a user",
            where="$.user",
            hint="a user is named with letters a to z, digits and ._@+/- such as team@example.org (--user)",
        )
    return name


def _check_words(words: Sequence[str], where: str) -> None:
    if len(words) > 1000:
        raise MalformedInput("more than 1,000 words", where=where)
    for index, word in enumerate(words):
        if not _WORD.fullmatch(word):
            raise MalformedInput(f"{word[:80]!r} is no name", where=f"{where}[{index}]")


def made_by_hand(system_user: str) -> str:
    """Who made a key from a shell, with nothing but access to the database."""
    return f"local:{system_user}"


def _json(words: Sequence[str]) -> str:
    return msgspec.json.encode(words).decode()


def _only(rows: list[Row], key_id: str, where: str) -> KeyRecord:
    if not rows:
        raise UsageError(f"there is no key {key_id[:80]!r}", where=where, hint="verilabel gateway keys list")
    return _record_of(rows[0])


def _holder_of(row: Row) -> Holder:
    role: Any = row[2]
    return Holder(
        id=row[0],
        name=row[1],
        role=role,
        user=row[3],
        models=_strings.decode(row[4]),
        policy=row[5],
        limits=_strings.decode(row[6]),
        expires_us=row[7],
    )


def _record_of(row: Row) -> KeyRecord:
    return KeyRecord(
        holder=_holder_of(row),
        created_us=row[8],
        created_by=row[9],
        disabled=bool(row[10]),
        revoked_us=row[11],
        replaced_by=row[12],
    )
