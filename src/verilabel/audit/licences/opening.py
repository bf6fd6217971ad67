"""How the check of licences comes into being."""

from __future__ import annotations

from pathlib import Path

from verilabel.audit.interface import Check
from verilabel.audit.licences.check import LicenceCheck
from verilabel.audit.licences.index import load_index, save_index
from verilabel.audit.settings import AuditSettings


class LicencesOpening:
    """Builds the index of texts once an audit, and opens the check on it in every worker."""

    def prepare(self, settings: AuditSettings, folder: Path) -> None:  # noqa: ARG002
        """Write the index; it depends on the shipped texts alone."""
        save_index(folder)

    def open(self, settings: AuditSettings, folder: Path) -> Check:  # noqa: ARG002
        """The check on the index. Raises MalformedInput where `prepare` has not been here."""
        return LicenceCheck(load_index(folder))


OPENING = LicencesOpening()
