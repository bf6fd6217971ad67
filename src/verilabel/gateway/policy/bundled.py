"""Policies that come with the program, and a first configuration to begin with."""

from __future__ import annotations

from pathlib import Path

from verilabel.errors import UsageError
from verilabel.gateway.policy.forms import nearest

BUNDLED_PREFIX = "bundled:"
DEFAULT = "default"
_FOLDER = Path(__file__).parent / "data"


def bundled_names() -> tuple[str, ...]:
    """Names of the policies that come with the program."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml") if path.stem != "gateway"))


def bundled_bytes(name: str, *, where: str | None = None) -> bytes:
    """The exact bytes of a bundled policy, looked up in a list so that a name is never a path. Raises UsageError."""
    if name not in bundled_names():
        hint = nearest(name, list(bundled_names()))
        raise UsageError(f"no policy {name!r} comes with the program", where=where, hint=hint)
    return (_FOLDER / f"{name}.yaml").read_bytes()


def sample_gateway_yaml() -> str:
    """A configuration to begin with: one upstream, one route, the default policy."""
    return (_FOLDER / "gateway.yaml").read_text(encoding="utf-8")
