"""How the check for duplicates comes into being: it needs nothing but its settings."""

from __future__ import annotations

from pathlib import Path

from verilabel.audit.duplicates.check import DuplicatesCheck
from verilabel.audit.duplicates.reducing import needed_agreement
from verilabel.audit.settings import AuditSettings
from verilabel.errors import UsageError


class _Opening:
    def prepare(self, settings: AuditSettings, folder: Path) -> None:
        """Refuse settings that mean nothing."""
        del folder  # there is no index
        needed_agreement(settings.duplicates.min_similarity)
        if settings.duplicates.alarm_documents < 1:
            raise UsageError(
                "a cluster that alarms has at least one document", where="$.duplicates.alarm_documents"
            )

    def open(self, settings: AuditSettings, folder: Path) -> DuplicatesCheck:
        """The check."""
        del folder
        return DuplicatesCheck(settings.duplicates)


OPENING = _Opening()
