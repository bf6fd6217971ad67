"""Incidents that agents and people file: bounded records in a folder, one file each, signed where there is a key."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from verilabel.errors import LimitExceeded, MalformedInput, UsageError
from verilabel.evidence.atomic import write_file
from verilabel.evidence.envelope import sign
from verilabel.evidence.keys import PrivateKey
from verilabel.evidence.statement import write_time
from verilabel.gateway.mcp.server.arguments import FileIncident, Severity
from verilabel.gateway.mcp.server.labels import Answer
from verilabel.gateway.mcp.server.library import Library
from verilabel.records.canonical import digest, jcs

INCIDENT_TYPE = "application/vnd.verilabel.incident+json"
MAX_FILES = 10_000
MAX_AN_HOUR = 60
HOUR_S = 3600.0


class Incident(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """One incident as it is kept. `filed_by` is who was let in to file it, as the server knows them."""

    id: str
    filed: str
    filed_by: str
    title: str
    description: str
    severity: Severity
    system: str | None = None
    bundle: str | None = None
    label_sha256: str | None = None
    """Digest of the bundle's label, where the bundle was named and verified."""
    occurred: str | None = None
    format: Literal["verilabel/incident/v1"] = "verilabel/incident/v1"


class IncidentDesk:
    """Takes incidents into a folder. `seconds` is a clock that only goes forward."""

    def __init__(
        self,
        folder: Path,
        key: PrivateKey | None,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._key = key
        self._clock = clock
        self._seconds = seconds
        self._filed: deque[float] = deque()

    async def file(self, library: Library, asked: FileIncident, filed_by: str) -> Answer:
        """Keep an incident. Raises LimitExceeded where too many are filed, UsageError for an unknown bundle."""
        if asked.occurred is not None:
            _check_moment(asked.occurred)
        label_sha256 = None
        if asked.bundle is not None:
            found = (await library.examine(asked.bundle)).found
            label_sha256 = None if found is None or found.label is None else digest(found.label.bytes())
        incident = Incident(
            id=secrets.token_hex(8),
            filed=write_time(self._clock()),
            filed_by=filed_by,
            title=asked.title,
            description=asked.description,
            severity=asked.severity,
            system=asked.system,
            bundle=asked.bundle,
            label_sha256=label_sha256,
            occurred=asked.occurred,
        )
        self._count()
        data = jcs({"format": incident.format, **msgspec.to_builtins(incident)})
        await asyncio.to_thread(self._keep, incident.id, data)
        document = {
            "id": incident.id,
            "sha256": digest(data),
            "signed": self._key is not None,
            "filed": incident.filed,
        }
        return Answer(
            document, f"incident {incident.id} is filed" + (", signed" if self._key is not None else "")
        )

    def _count(self) -> None:
        now = self._seconds()
        while self._filed and now - self._filed[0] >= HOUR_S:
            self._filed.popleft()
        if len(self._filed) >= MAX_AN_HOUR:
            raise LimitExceeded(
                f"{MAX_AN_HOUR} incidents were filed within an hour", hint="tell a person instead"
            )
        self._filed.append(now)

    def _keep(self, name: str, data: bytes) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with os.scandir(self._folder) as entries:
                if sum(1 for _ in entries) >= MAX_FILES:
                    raise LimitExceeded(
                        f"the folder of incidents holds {MAX_FILES} files", hint="move old ones away"
                    )
            if self._key is None:
                write_file(self._folder / f"incident-{name}.json", data + b"\n", mode=0o600)
            else:
                envelope = sign(data, self._key, payload_type=INCIDENT_TYPE)
                write_file(self._folder / f"incident-{name}.dsse.jsonl", envelope, mode=0o600)
        except OSError as error:
            raise UsageError(f"the incident cannot be kept: {error.strerror}") from None


def _check_moment(text: str) -> None:
    try:
        datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        raise MalformedInput("no such moment", where="arguments.occurred") from None
