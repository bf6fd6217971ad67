"""How the check `toxicity` comes into being."""

from __future__ import annotations

from pathlib import Path

from verilabel.audit.interface import Check
from verilabel.audit.settings import AuditSettings
from verilabel.audit.toxicity.checking import open_check


class _Opening:
    """The list comes with the product: nothing is prepared."""

    def prepare(self, settings: AuditSettings, folder: Path) -> None:
        """Nothing to build."""
        del settings, folder

    def open(self, settings: AuditSettings, folder: Path) -> Check:
        """The check, in a worker."""
        del settings, folder
        return open_check()


OPENING = _Opening()
