"""Who asks: what the pipeline knows of the holder of a virtual key."""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

Role = Literal["user", "approver", "auditor", "admin"]


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """A virtual key without its secret. `models` are names or prefixes with `*` (empty: all); `policy` replaces the
    gateway's by its id; `user` is who is behind it, for limits and for keeping approver and requester apart."""

    id: str
    name: str
    role: Role = "user"
    user: str = ""
    models: tuple[str, ...] = ()
    policy: str | None = None
    limits: tuple[str, ...] = ()
    """Ids of limit rows of the policy that do not apply to this key."""
    expires_us: int | None = None


NOBODY = Holder(id="none", name="none", user="local")
"""Who asks where `auth: none` is set, on loopback."""


class KeyRing(Protocol):
    """The keys in force, in memory; changes elsewhere are seen within a second."""

    @property
    def is_stale(self) -> bool:
        """True while the keys could not be renewed for too long: nobody is known then."""
        ...

    def find(self, token: str) -> Holder | None:
        """The holder of a token that is in force now, or None. Constant time in what the token holds."""
        ...
