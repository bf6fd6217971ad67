"""What a trust policy answers: a signer counts, and under which names, or does not, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Accepted:
    """The key counts; `name` is what the policy calls its holder."""

    name: str
    accepted: Literal[True] = True
    is_named: bool = field(default=True, compare=False)
    """False where nothing but a rule that takes any key accepts it: the policy then says nothing of whose it is."""
    holders: frozenset[str] = field(default=frozenset(), compare=False)
    """Every name that the policy gives the holder, without differences of case and spacing."""

    def __post_init__(self) -> None:
        if not self.holders:
            object.__setattr__(self, "holders", frozenset({" ".join(self.name.casefold().split())}))


@dataclass(frozen=True)
class Refused:
    """The key does not count, and why."""

    reason: str
    accepted: Literal[False] = False


Decision = Accepted | Refused
