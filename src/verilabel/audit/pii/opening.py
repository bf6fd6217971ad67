"""How the check of personal data and secrets comes into being."""

from __future__ import annotations

from pathlib import Path

from verilabel.audit.interface import Check, Opening
from verilabel.audit.pii.check import PiiCheck
from verilabel.audit.pii.phones import NumberingPlans
from verilabel.audit.settings import AuditSettings


class PiiOpening:
    """Opens the check; it has no index, its lists come with the package."""

    def prepare(self, settings: AuditSettings, folder: Path) -> None:  # noqa: ARG002
        """Raises UsageError for a region whose numbering plan is not known."""
        NumberingPlans(settings.pii.regions)

    def open(self, settings: AuditSettings, folder: Path) -> Check:  # noqa: ARG002
        """The check, with the plans of the settings' regions."""
        return PiiCheck(settings.pii)


OPENING: Opening = PiiOpening()
