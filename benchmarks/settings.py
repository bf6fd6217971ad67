"""What a run of the benchmarks was asked for, and what a benchmark says when it could not be measured."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
PEERS = REPOSITORY / ".venv-peers"


@dataclass(frozen=True)
class Settings:
    """What the command line asked for. `folder` is a temporary folder that is deleted at the end."""

    folder: Path
    quick: bool = False
    """Small numbers, to see that everything works; such figures are never written down."""
    peers: bool = False
    """Measure other tools too, from `.venv-peers` (`make bench-peers`)."""
    rounds: int | None = None
    """Measured rounds of each command; None: each benchmark's own number."""

    def rounds_or(self, usual: int) -> int:
        """How often each command is measured: as asked, else once or twice when quick, else the usual number."""
        if self.rounds is not None:
            return self.rounds
        return min(usual, 2) if self.quick else usual


class NotMeasured(Exception):
    """A benchmark that this machine cannot carry out; its message says what is missing and how to get it."""


class CommandFailed(Exception):
    """A measured command that did not do what was measured: no figure of it may be used."""


def program() -> str:
    """The `verilabel` program of the running environment. Raises NotMeasured where it is not installed."""
    path = Path(sys.executable).parent / "verilabel"
    if not path.is_file():
        raise NotMeasured(f"there is no {path}: install the project into this environment (`make bench`)")
    return str(path)


def peer_program(name: str) -> Path | None:
    """A program of the peers' environment, or None where it is not installed."""
    path = PEERS / "bin" / name
    return path if path.is_file() else None
