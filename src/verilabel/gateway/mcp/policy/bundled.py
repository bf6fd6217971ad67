"""Tool policies that come with the program."""

from __future__ import annotations

from pathlib import Path

from verilabel.errors import UsageError
from verilabel.gateway.policy.forms import nearest

_FOLDER = Path(__file__).parent / "data"


def tool_policy_names() -> tuple[str, ...]:
    """Names of the tool policies that come with the program."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


def tool_policy_bytes(name: str, *, where: str | None = None) -> bytes:
    """The exact bytes of a bundled tool policy, found in a list, since a name is no path. Raises UsageError."""
    if name not in tool_policy_names():
        hint = nearest(name, list(tool_policy_names()))
        raise UsageError(f"no tool policy {name!r} comes with the program", where=where, hint=hint)
    return (_FOLDER / f"{name}.yaml").read_bytes()
