"""A remark on a policy or a gateway's configuration: a mistake that refuses it, or a doubt that informs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from verilabel.errors import MalformedInput

Severity = Literal["error", "warning"]


class Remark(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is wrong or doubtful at one place. `where` is a path such as `$.guards[2].action` inside the file."""

    severity: Severity
    where: str
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        return f"{self.message} @ {self.where}"

    def within(self, file: str) -> Remark:
        """The same with the file in front of the place."""
        return Remark(self.severity, f"{file}: {self.where}", self.message, self.hint)


def mistake(where: str, message: str, hint: str | None = None) -> Remark:
    """A remark that refuses the file."""
    return Remark("error", where, message, hint)


def doubt(where: str, message: str, hint: str | None = None) -> Remark:
    """A remark that informs."""
    return Remark("warning", where, message, hint)


def mistakes_among(remarks: Iterable[Remark]) -> list[Remark]:
    """Those that refuse the file."""
    return [remark for remark in remarks if remark.severity == "error"]


def refuse_mistakes(remarks: Iterable[Remark], where: str) -> None:
    """Raise the first mistake as MalformedInput, with the number of further ones; `where` names the file."""
    found = mistakes_among(remarks)
    if not found:
        return
    first = found[0]
    more = f"{len(found) - 1} more: `verilabel policy lint` shows them" if len(found) > 1 else None
    hint = "; ".join(part for part in (first.hint, more) if part) or None
    raise MalformedInput(first.message, where=f"{where}: {first.where}", hint=hint)
