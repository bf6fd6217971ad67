"""How the check `toxicity` comes into being."""

from __future__ import annotations

from pathlib import Path

from verilabel.audit.interface import Check
from verilabel.audit.settings import AuditSettings
from verilabel.audit.toxicity.checking import ToxicityCheck
from verilabel.audit.toxicity.storing import load_shipped, save_shipped


class _Opening:
    def prepare(self, settings: AuditSettings, folder: Path) -> None:
        """Write the table of the list that comes with the product."""
        del settings
        save_shipped(folder)

    def open(self, settings: AuditSettings, folder: Path) -> Check:
        """The check, in a worker. Raises MalformedInput where `prepare` has not been here."""
        del settings
        return ToxicityCheck(load_shipped(folder))


OPENING = _Opening()
