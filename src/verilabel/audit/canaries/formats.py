"""What a format is: how a value of a kind is written, and what people write around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from verilabel.audit.canaries.draws import Draws

Carrier = tuple[str, str]
"""What stands before and after a value."""

BARE: tuple[Carrier, ...] = (("", ""), ("", ","), ("", "."), ("(", ")"), ("", ";"), ('"', '"'))


_JOINTS = (": ", " ", "=", ":", " is ")


def labels(*words: str, joints: Sequence[str] = _JOINTS) -> tuple[Carrier, ...]:
    """Carriers that name what follows: `word: value`, `word value`, `word=value`."""
    return tuple((f"{word}{joint}", "") for word in words for joint in joints)


@dataclass(frozen=True)
class Format:
    """One way to write a value of a kind."""

    kind: str
    name: str
    make: Callable[[Draws], str]
    carriers: Sequence[Carrier] = BARE
    is_block: bool = False
    """True: stands in lines of its own."""


class Catalogue:
    """Formats of several kinds, written down one below the other."""

    def __init__(self) -> None:
        self.formats: list[Format] = []

    def add(
        self,
        kind: str,
        name: str,
        make: Callable[[Draws], str],
        carriers: Sequence[Carrier] = BARE,
        *,
        is_block: bool = False,
    ) -> None:
        """One more format; a kind's names are unique."""
        if any(known.kind == kind and known.name == name for known in self.formats):
            raise ValueError(f"{kind} has a format {name} already")
        self.formats.append(Format(kind, name, make, carriers, is_block))
