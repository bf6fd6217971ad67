"""How the check of languages comes into being: the model is converted once and mapped into every worker's memory."""

from __future__ import annotations

from pathlib import Path

from verilabel.audit.language.check import LanguageCheck
from verilabel.audit.language.model import open_model, prepare_model
from verilabel.audit.settings import AuditSettings


class _Opening:
    def prepare(self, settings: AuditSettings, folder: Path) -> None:
        """Convert the model of the installed py3langid, once."""
        del settings  # there is nothing to choose
        prepare_model(folder)

    def open(self, settings: AuditSettings, folder: Path) -> LanguageCheck:
        """The check over the prepared model."""
        del settings
        return LanguageCheck(open_model(folder))


OPENING = _Opening()
