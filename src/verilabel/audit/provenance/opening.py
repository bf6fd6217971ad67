"""How the check of provenance comes into being."""

from __future__ import annotations

from pathlib import Path

from verilabel.audit.interface import Check
from verilabel.audit.provenance.check import ProvenanceCheck
from verilabel.audit.settings import AuditSettings


class ProvenanceOpening:
    """Needs nothing built."""

    def prepare(self, settings: AuditSettings, folder: Path) -> None:
        """Nothing: what it needs is shipped."""

    def open(self, settings: AuditSettings, folder: Path) -> Check:  # noqa: ARG002
        """The check."""
        return ProvenanceCheck()


OPENING = ProvenanceOpening()
