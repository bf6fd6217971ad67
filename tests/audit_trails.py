"""Writes audit trails for tests; as a program, one that appends until it is killed and says what was written."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from verilabel.gateway.audit.record import AuditRecord
from verilabel.gateway.audit.trail import AuditTrail
from verilabel.gateway.policy.document import AuditSettings
from verilabel.gateway.verdicts import Finding

FOUND = Finding(guard="pii", rule="pii.email", action="redact", field="content", direction="input", count=2)
SCANNED = {"input.content": 12, "output.content": 30}
CLOCK_US = 1_790_000_000_000_000


def record(number: int = 0, **changes: Any) -> AuditRecord:
    """A record of an answered request, with changes."""
    usual: dict[str, Any] = {
        "event": "ended",
        "id": f"req_{number}",
        "at_us": CLOCK_US + number,
        "route": "gpt",
        "key": "k_1",
        "outcome": "answered",
        "status": 200,
        "scanned": SCANNED,
        "findings": (FOUND,),
    }
    return AuditRecord(**(usual | changes))


def open_trail(folder: Path, worker: str = "w0", **settings: Any) -> AuditTrail:
    """A trail in a folder, with a clock that stands still."""
    return AuditTrail.open(AuditSettings(folder=str(folder), **settings), worker, clock_us=lambda: CLOCK_US)


def write_trail(folder: Path, records: int = 5, worker: str = "w0", **settings: Any) -> Path:
    """An orderly closed file of a worker."""
    with open_trail(folder, worker, **settings) as trail:
        for number in range(records):
            trail.append(record(number))
        return trail.path


if __name__ == "__main__":
    with open_trail(Path(sys.argv[1])) as writing:
        for number in range(10_000_000):
            writing.append(record(number))
            sys.stdout.write(f"req_{number}\n")  # the answer's last byte
            sys.stdout.flush()
